package viewmill.bench;

import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;

/** The time of the last record of a partition, held back by a grace: events of a minute may be received that much after it. */
final class AppendTimeWatermarks implements WatermarkGenerator<Event> {
  private final long graceMs;
  private long appendedAtMs = Long.MIN_VALUE;

  AppendTimeWatermarks(long graceMs) {
    this.graceMs = graceMs;
  }

  @Override
  public void onEvent(Event event, long eventTimeMs, WatermarkOutput output) {
    if (event.appendedAtMs > appendedAtMs) appendedAtMs = event.appendedAtMs;
  }

  @Override
  public void onPeriodicEmit(WatermarkOutput output) {
    if (appendedAtMs != Long.MIN_VALUE) output.emitWatermark(new Watermark(appendedAtMs - graceMs));
  }
}
