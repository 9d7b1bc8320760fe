package viewmill.bench;

import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.windowing.triggers.Trigger;
import org.apache.flink.streaming.api.windowing.triggers.TriggerResult;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;

/**
 * Fires at the end of the minute, and for what comes after it once in a while of processing time: Flink's own event-time trigger would write
 * a cell again for each late event.
 */
final class LateInOneFiring extends Trigger<Hit, TimeWindow> {
  private static final long serialVersionUID = 1;

  private final long lateFiringMs;
  private final ValueStateDescriptor<Long> dueAtMs = new ValueStateDescriptor<>("late-firing-at", Types.LONG);

  LateInOneFiring(long lateFiringMs) {
    this.lateFiringMs = lateFiringMs;
  }

  @Override
  public TriggerResult onElement(Hit hit, long timeMs, TimeWindow window, TriggerContext context) throws Exception {
    if (window.maxTimestamp() > context.getCurrentWatermark()) {
      context.registerEventTimeTimer(window.maxTimestamp());
      return TriggerResult.CONTINUE;
    }
    ValueState<Long> due = context.getPartitionedState(dueAtMs);
    if (due.value() == null) {
      long dueMs = context.getCurrentProcessingTime() + lateFiringMs;
      context.registerProcessingTimeTimer(dueMs);
      due.update(dueMs);
    }
    return TriggerResult.CONTINUE;
  }

  @Override
  public TriggerResult onProcessingTime(long timeMs, TimeWindow window, TriggerContext context) {
    context.getPartitionedState(dueAtMs).clear();
    return TriggerResult.FIRE;
  }

  /** Called at the end of the minute, and again when the window is given up: what is due then must not be lost. */
  @Override
  public TriggerResult onEventTime(long timeMs, TimeWindow window, TriggerContext context) throws Exception {
    if (timeMs == window.maxTimestamp()) return TriggerResult.FIRE;
    return context.getPartitionedState(dueAtMs).value() == null ? TriggerResult.CONTINUE : TriggerResult.FIRE;
  }

  @Override
  public void clear(TimeWindow window, TriggerContext context) throws Exception {
    context.deleteEventTimeTimer(window.maxTimestamp());
    ValueState<Long> due = context.getPartitionedState(dueAtMs);
    if (due.value() != null) context.deleteProcessingTimeTimer(due.value());
    due.clear();
  }
}
