/** Nothing was counted yet: how to change that, and a button that does. */
import { useEffect, useState } from "preact/hooks";
import { startDemoTraffic } from "../demo-traffic";
import { Scroll } from "../scroll";

export function EmptyState() {
  const [sent, setSent] = useState<number | undefined>(undefined);
  const [stop, setStop] = useState<(() => void) | undefined>(undefined);
  useEffect(() => stop, [stop]);
  const begin = () => {
    setSent(0);
    const end = startDemoTraffic((events) => setSent((before) => (before ?? 0) + events));
    setStop(() => end);
  };
  const curl = `curl ${location.origin}/v1/events -H 'content-type: application/json' \\
  -d '{"eventId":"first","videoId":"my-video","eventType":"VIEW"}'`;
  const client = `import { ViewmillClient } from "viewmill/client";
const viewmill = new ViewmillClient({ url: "${location.origin}" });
await viewmill.countViewEvent("my-video");`;
  return (
    <section class="panel empty">
      <h1>Nothing counted yet</h1>
      <p>Send a first event. The number appears here by itself.</p>
      <Scroll label="With curl">
        <pre>{curl}</pre>
      </Scroll>
      <p>From a program:</p>
      <Scroll label="With the client library">
        <pre>{client}</pre>
      </Scroll>
      <p>
        <button type="button" class="primary" onClick={begin} disabled={sent !== undefined}>
          Send a minute of demo traffic
        </button>{" "}
        <span role="status">{sent === undefined ? "" : `${sent} events sent`}</span>
      </p>
    </section>
  );
}
