package viewmill.bench;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** What a minute of a (video, type) has come to. */
final class Totals implements Flat<Totals> {
  long count;
  long sum;
  long lastMs = Long.MIN_VALUE;

  Totals add(long moreCount, long moreSum, long timeMs) {
    count += moreCount;
    sum = Math.addExact(sum, moreSum);
    lastMs = Math.max(lastMs, timeMs);
    return this;
  }

  @Override
  public Totals fresh() {
    return new Totals();
  }

  @Override
  public void set(Totals other) {
    count = other.count;
    sum = other.sum;
    lastMs = other.lastMs;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    out.writeLong(count);
    out.writeLong(sum);
    out.writeLong(lastMs);
  }

  @Override
  public void read(DataInputView in) throws IOException {
    count = in.readLong();
    sum = in.readLong();
    lastMs = in.readLong();
  }
}
