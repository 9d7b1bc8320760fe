package viewmill.bench;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** A counter of a minute, as it is to be stored: absolute, so that a later firing of the same minute replaces it. */
final class Cell implements Flat<Cell> {
  String video;
  String type;
  long minute;
  long count;
  long sum;
  long lastMs;

  @Override
  public Cell fresh() {
    return new Cell();
  }

  @Override
  public void set(Cell other) {
    video = other.video;
    type = other.type;
    minute = other.minute;
    count = other.count;
    sum = other.sum;
    lastMs = other.lastMs;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    Names.write(video, out);
    Names.writeType(type, out);
    out.writeLong(minute);
    out.writeLong(count);
    out.writeLong(sum);
    out.writeLong(lastMs);
  }

  @Override
  public void read(DataInputView in) throws IOException {
    video = Names.read(in);
    type = Names.readType(in);
    minute = in.readLong();
    count = in.readLong();
    sum = in.readLong();
    lastMs = in.readLong();
  }
}
