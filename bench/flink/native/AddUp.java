package viewmill.bench;

import org.apache.flink.api.common.functions.AggregateFunction;

/** Count and sum of a minute, added up as events come: no event is kept. */
final class AddUp implements AggregateFunction<Hit, Totals, Totals> {
  private static final long serialVersionUID = 1;

  @Override
  public Totals createAccumulator() {
    return new Totals();
  }

  @Override
  public Totals add(Hit hit, Totals totals) {
    return totals.add(hit.count, hit.sum, hit.lastMs);
  }

  @Override
  public Totals getResult(Totals totals) {
    return totals;
  }

  @Override
  public Totals merge(Totals one, Totals other) {
    return one.add(other.count, other.sum, other.lastMs);
  }
}
