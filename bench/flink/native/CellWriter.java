package viewmill.bench;

import java.io.DataOutputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.UUID;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.sink.RichSinkFunction;

/**
 * Writes each cell as the bytes of the mutation that would store it (row key, column, version, value of 32 bytes, as Viewmill's Bigtable
 * adapter has them) to a file of its own: what a sink costs before the network. Flushed at each checkpoint. A cell that is written
 * again has a larger version.
 * Layout, big-endian: uint8 length and row key, uint8 length and column, int64 version, int64 count, int128 sum, int64 last event.
 */
final class CellWriter extends RichSinkFunction<Cell> implements CheckpointedFunction {
  private static final long serialVersionUID = 1;
  private static final int BUFFER_BYTES = 1 << 16;
  private static final int SALTS = 16;
  private static final DateTimeFormatter HOUR = DateTimeFormatter.ofPattern("yyyyMMddHH").withZone(ZoneOffset.UTC);
  private static final String[] SALT_TEXT = texts(SALTS, "%02x#");
  private static final String[] MINUTE_TEXT = texts(60, "%02d:");

  private final String folder;
  private final LongCounter written = new LongCounter();
  private transient DataOutputStream out;
  private transient long hour;
  private transient String hourText;

  CellWriter(String folder) {
    this.folder = folder;
  }

  @Override
  public void open(Configuration parameters) throws IOException {
    Files.createDirectories(Path.of(folder));
    Path file = Path.of(folder, UUID.randomUUID() + ".cells");
    out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file), BUFFER_BYTES));
    hour = Long.MIN_VALUE;
    getRuntimeContext().addAccumulator("cellsWritten", written);
  }

  @Override
  public void invoke(Cell cell, Context context) throws IOException {
    text(SALT_TEXT[saltOf(cell.video)] + hourOf(cell.minute) + "#" + cell.video);
    text(MINUTE_TEXT[(int) Math.floorMod(cell.minute, 60L)] + cell.type);
    out.writeLong(cell.count);
    out.writeLong(cell.count);
    out.writeLong(cell.sum < 0 ? -1 : 0);
    out.writeLong(cell.sum);
    out.writeLong(cell.lastMs);
    written.add(1L);
  }

  private void text(String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    out.writeByte(bytes.length);
    out.write(bytes);
  }

  private String hourOf(long minute) {
    long asked = Math.floorDiv(minute, 60L);
    if (asked != hour) {
      hour = asked;
      hourText = HOUR.format(Instant.ofEpochSecond(asked * 3600));
    }
    return hourText;
  }

  private static String[] texts(int count, String format) {
    String[] texts = new String[count];
    for (int number = 0; number < count; number++) texts[number] = String.format(format, number);
    return texts;
  }

  private static int saltOf(String video) {
    int hash = 0x811c9dc5;
    for (int i = 0; i < video.length(); i++) hash = (hash ^ video.charAt(i)) * 0x01000193;
    return ((hash >>> 16) ^ hash) & (SALTS - 1);
  }

  @Override
  public void snapshotState(FunctionSnapshotContext context) throws IOException {
    out.flush();
  }

  @Override
  public void initializeState(FunctionInitializationContext context) {}

  @Override
  public void close() throws IOException {
    if (out != null) out.close();
  }
}
