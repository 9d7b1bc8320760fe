package viewmill.bench;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** What an event adds to its cell: of a first one 1 and its value, of a repeat with a larger value 0 and the difference. */
final class Hit implements Flat<Hit> {
  String video;
  String type;
  int count;
  long sum;
  long lastMs;

  @Override
  public Hit fresh() {
    return new Hit();
  }

  @Override
  public void set(Hit other) {
    video = other.video;
    type = other.type;
    count = other.count;
    sum = other.sum;
    lastMs = other.lastMs;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    Names.write(video, out);
    Names.writeType(type, out);
    out.writeInt(count);
    out.writeLong(sum);
    out.writeLong(lastMs);
  }

  @Override
  public void read(DataInputView in) throws IOException {
    video = Names.read(in);
    type = Names.readType(in);
    count = in.readInt();
    sum = in.readLong();
    lastMs = in.readLong();
  }
}
