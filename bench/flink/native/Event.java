package viewmill.bench;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** One event. The source fills the same object again and again: with object reuse nobody behind it keeps one. */
final class Event implements Flat<Event> {
  static final long MINUTE_MS = 60_000;

  long idHigh;
  long idLow;
  String video;
  String type;
  long timeMs;
  long value;
  /** When Kafka has its batch from: the watermark is made of it, at the source. Does not travel. */
  transient long appendedAtMs;

  @Override
  public Event fresh() {
    return new Event();
  }

  @Override
  public void set(Event other) {
    idHigh = other.idHigh;
    idLow = other.idLow;
    video = other.video;
    type = other.type;
    timeMs = other.timeMs;
    value = other.value;
    appendedAtMs = other.appendedAtMs;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    out.writeLong(idHigh);
    out.writeLong(idLow);
    Names.write(video, out);
    Names.writeType(type, out);
    out.writeLong(timeMs);
    out.writeLong(value);
  }

  @Override
  public void read(DataInputView in) throws IOException {
    idHigh = in.readLong();
    idLow = in.readLong();
    video = Names.read(in);
    type = Names.readType(in);
    timeMs = in.readLong();
    value = in.readLong();
  }
}
