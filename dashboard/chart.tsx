// SPDX-License-Identifier: Apache-2.0
/**
 * Bars over time. Provisional bars are pale; bars that changed after they were final have a mark above them. The pages
 * of a video, of a channel and of the present draw with it.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { BucketState } from "./api";
import { clock, day, type Exact, fraction, moment, plural, short, whole } from "./format";
import { Scroll } from "./scroll";
import { isMidnight, OWN_ZONE } from "./time-zone";
import { useMedia } from "./use-answer";

export interface Bar {
  startMs: number;
  value: Exact | null;
  state: BucketState;
  revision?: number;
}

interface Props {
  title: string;
  bars: readonly Bar[];
  /** Length of a bar's bucket. */
  bucketMs: number;
  height?: number;
  /** The time zone of the shown times; default: the browser's. */
  timeZone?: string;
  /** The same buckets of the period before, drawn as a line. */
  before?: readonly (Exact | null)[] | undefined;
  /** Gets the drawn picture, for saving. */
  onDrawn?: (canvas: HTMLCanvasElement) => void;
}

const HEIGHT = 180;

export function BarChart(props: Props) {
  const { title, bars, height = HEIGHT } = props;
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const dark = useMedia("(prefers-color-scheme: dark)");
  const [shown, setShown] = useState<Bar | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const made = new uPlot(options(element, height, latest, setShown), columns(latest.current), element);
    chart.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      chart.current = undefined;
    };
  }, [dark, height, props.before === undefined, props.timeZone]);
  useEffect(() => {
    chart.current?.setData(columns(props));
    if (chart.current !== undefined) props.onDrawn?.(chart.current.ctx.canvas);
  }, [bars, props.before]);
  return (
    <figure class="chart">
      <figcaption>
        {title}
        <span class="shown" aria-live="off">
          {shown === undefined
            ? ""
            : `${moment(shown.startMs, props.timeZone)}: ${valueText(shown)}, ${stateText(shown)}`}
        </span>
      </figcaption>
      <div ref={holder} class="canvas" style={{ height: `${height}px` }} aria-hidden="true" />
      <details>
        <summary>As a table</summary>
        <ChartTable {...props} />
      </details>
    </figure>
  );
}

function ChartTable({ title, bars, before, timeZone }: Props) {
  return (
    <Scroll label={title}>
      <table>
        <thead>
          <tr>
            <th>Start</th>
            <th class="number">Value</th>
            {before !== undefined && <th class="number">Period before</th>}
            <th>State</th>
          </tr>
        </thead>
        <tbody>
          {bars.map((bar, index) => (
            <tr key={bar.startMs} data-start={new Date(bar.startMs).toISOString()}>
              <td>{moment(bar.startMs, timeZone)}</td>
              <td class="number" data-value={String(bar.value)}>
                {valueText(bar)}
              </td>
              {before !== undefined && <td class="number">{before[index] == null ? "–" : whole(before[index]!)}</td>}
              <td>{stateText(bar)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

const valueText = ({ value }: Bar): string =>
  value === null ? "–" : typeof value === "number" && !Number.isInteger(value) ? fraction(value) : whole(value);
const stateText = ({ state, revision = 0 }: Bar): string =>
  revision === 0 ? state : `${state}, changed ${plural(revision, "time")} after it was final`;

/** Returns uPlot's columns, whose x is in seconds. A bar is in the middle of its bucket. */
function columns({ bars, bucketMs, before }: Props): uPlot.AlignedData {
  const x = bars.map(({ startMs }) => (startMs + bucketMs / 2) / 1000);
  const y = bars.map(({ value }) => (value === null ? null : Number(value)));
  return before === undefined ? [x, y] : [x, y, before.map((value) => (value === null ? null : Number(value)))];
}

function options(
  element: HTMLElement,
  height: number,
  latest: { current: Props },
  show: (bar: Bar | undefined) => void,
): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  const fills: Readonly<Record<BucketState, string>> = {
    provisional: color("--bar-open"),
    final: color("--bar"),
    audited: color("--bar"),
    closed: color("--bar"),
  };
  const bars = uPlot.paths.bars?.({
    size: [0.82, 64],
    radius: 0.12,
    disp: { fill: { unit: 3, values: () => latest.current.bars.map(({ state }) => fills[state]) } },
  });
  return {
    width: element.clientWidth,
    height,
    padding: [12, 28, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { time: true, range: () => rangeOf(latest.current) },
      y: { range: (_chart, _low, high) => [Math.min(0, _low ?? 0), Math.max(1, (high ?? 0) * 1.08)] },
    },
    axes: [
      {
        ...axis,
        size: 28,
        space: 64,
        values: (_chart, splits) => labels(splits, latest.current),
      },
      {
        ...axis,
        size: 48,
        space: 32,
        values: (_chart, splits) =>
          splits.map((value) => (Number.isInteger(value) || splits.length < 3 ? short(value) : "")),
      },
    ],
    series: [
      {},
      { ...(bars === undefined ? {} : { paths: bars }), fill: color("--bar"), width: 0, points: { show: false } },
      ...(latest.current.before === undefined
        ? []
        : [{ stroke: color("--before"), width: 1.5, dash: [4, 3], points: { show: false } }]),
    ],
    hooks: {
      setCursor: [(chart) => show(chart.cursor.idx == null ? undefined : latest.current.bars[chart.cursor.idx])],
      draw: [(chart) => markCorrections(chart, latest.current, color("--mark"))],
    },
  };
}

function rangeOf({ bars, bucketMs }: Props): uPlot.Range.MinMax {
  const first = bars[0];
  const last = bars[bars.length - 1];
  if (first === undefined || last === undefined) return [0, 1];
  return [first.startMs / 1000, (last.startMs + bucketMs) / 1000];
}

/** A label that would say what the one before it says, as that of a day's noon, is left out. */
function labels(splits: readonly number[], props: Props): string[] {
  const texts = splits.map((seconds) => tick(seconds * 1000, props));
  return texts.map((text, index) => (text === texts[index - 1] ? "" : text));
}

function tick(timeMs: number, { bars, bucketMs, timeZone = OWN_ZONE }: Props): string {
  const spanMs = bars.length * bucketMs;
  const isDay = spanMs > 4 * 86_400_000 || isMidnight(timeMs, timeZone);
  return isDay ? day(timeMs, timeZone) : clock(timeMs, timeZone);
}

/** Draws a small triangle above each bar whose value changed after it was final. */
function markCorrections(chart: uPlot, { bars, bucketMs }: Props, fill: string): void {
  const { ctx } = chart;
  ctx.fillStyle = fill;
  for (const { startMs, value, revision = 0 } of bars) {
    if (revision === 0) continue;
    const x = chart.valToPos((startMs + bucketMs / 2) / 1000, "x", true);
    const y = chart.valToPos(Number(value ?? 0), "y", true) - 4 * devicePixelRatio;
    const size = 4 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x - size, y - size);
    ctx.lineTo(x + size, y - size);
    ctx.lineTo(x, y);
    ctx.fill();
  }
}

/** A small line without axes. */
export function Sparkline({ values, label }: { values: readonly number[]; label: string }) {
  const most = Math.max(1, ...values);
  const points = values.map(
    (value, at) => `${(at / Math.max(1, values.length - 1)) * 100},${22 - (value / most) * 20}`,
  );
  return (
    <svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label={label}>
      <polyline points={points.join(" ")} />
    </svg>
  );
}
