package viewmill.bench;

import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

final class ToCell implements WindowFunction<Totals, Cell, VideoType, TimeWindow> {
  private static final long serialVersionUID = 1;

  private transient Cell cell;

  @Override
  public void apply(VideoType key, TimeWindow window, Iterable<Totals> results, Collector<Cell> out) {
    if (cell == null) cell = new Cell();
    Totals totals = results.iterator().next();
    cell.video = key.video;
    cell.type = key.type;
    cell.minute = Math.floorDiv(window.getStart(), Event.MINUTE_MS);
    cell.count = totals.count;
    cell.sum = totals.sum;
    cell.lastMs = totals.lastMs;
    out.collect(cell);
  }
}
