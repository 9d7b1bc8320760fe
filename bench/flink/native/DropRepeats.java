package viewmill.bench;

import java.time.Duration;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.time.Time;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Each event once; of repeats that differ in value the largest counts, so a larger one that comes later adds the difference.
 * State: the largest value so far, kept for a minute and the allowed lateness after it was last written. By time to live, which costs a
 * long beside the value; an event-time timer for each event costs far more, on the heap and in RocksDB.
 */
final class DropRepeats extends KeyedProcessFunction<EventIdentity, Event, Hit> {
  private static final long serialVersionUID = 1;
  private static final int CLEANED_AN_ACCESS = 2;
  private static final long COMPACTED_BETWEEN_CLOCKS = 10_000;

  private final long keptMs;
  private final LongCounter received = new LongCounter();
  private final LongCounter repeats = new LongCounter();
  private transient ValueState<Long> largest;
  private transient Hit hit;

  DropRepeats(Duration allowedLateness) {
    this.keptMs = Event.MINUTE_MS + allowedLateness.toMillis();
  }

  @Override
  @SuppressWarnings("deprecation")
  public void open(Configuration parameters) {
    ValueStateDescriptor<Long> descriptor = new ValueStateDescriptor<>("largest-value", Types.LONG);
    descriptor.enableTimeToLive(
        StateTtlConfig.newBuilder(Time.milliseconds(keptMs))
            .setUpdateType(StateTtlConfig.UpdateType.OnCreateAndWrite)
            .setStateVisibility(StateTtlConfig.StateVisibility.NeverReturnExpired)
            .cleanupIncrementally(CLEANED_AN_ACCESS, false)
            .cleanupInRocksdbCompactFilter(COMPACTED_BETWEEN_CLOCKS)
            .build());
    largest = getRuntimeContext().getState(descriptor);
    getRuntimeContext().addAccumulator("received", received);
    getRuntimeContext().addAccumulator("repeats", repeats);
    hit = new Hit();
  }

  @Override
  public void processElement(Event event, Context context, Collector<Hit> out) throws Exception {
    received.add(1L);
    Long known = largest.value();
    if (known != null && known >= event.value) {
      repeats.add(1L);
      return;
    }
    largest.update(event.value);
    if (known != null) repeats.add(1L);
    hit.video = event.video;
    hit.type = event.type;
    hit.count = known == null ? 1 : 0;
    hit.sum = known == null ? event.value : Math.subtractExact(event.value, known);
    hit.lastMs = event.timeMs;
    out.collect(hit);
  }
}
