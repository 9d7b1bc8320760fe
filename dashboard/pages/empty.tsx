// SPDX-License-Identifier: Apache-2.0
/** The page before the first event: the ways to send one, and a button that does. */
import { startDemoTraffic, stopDemoTraffic, type Traffic, useDemoTraffic } from "../demo-traffic";
import { plural } from "../format";
import { Scroll } from "../scroll";

export function EmptyState() {
  const traffic = useDemoTraffic();
  const curl = `curl ${location.origin}/v1/events -H 'content-type: application/json' \\
  -d '{"eventId":"first","videoId":"my-video","eventType":"VIEW"}'`;
  const client = `import { ViewmillClient } from "${location.origin}/client.js";
const viewmill = new ViewmillClient({ url: "${location.origin}" });
await viewmill.countViewEvent("my-video");`;
  return (
    <section class="panel empty">
      <h1>Nothing counted yet</h1>
      <p>Send a first event. The number appears here by itself.</p>
      <Scroll label="With curl">
        <pre>{curl}</pre>
      </Scroll>
      <p>
        From a page, or from Node with <code>viewmill/client</code>:
      </p>
      <Scroll label="With the client library">
        <pre>{client}</pre>
      </Scroll>
      <DemoTraffic traffic={traffic} />
    </section>
  );
}

/** The button and, during the traffic, the number of events it has sent. */
export function DemoTraffic({ traffic: { sent, secondsLeft } }: { traffic: Traffic }) {
  const running = secondsLeft > 0;
  return (
    <p class="demo">
      <button type="button" class={running ? "" : "primary"} onClick={running ? stopDemoTraffic : startDemoTraffic}>
        {running ? "Stop the demo traffic" : "Send a minute of demo traffic"}
      </button>{" "}
      <span role="status">{running ? `${plural(sent, "event")} sent, ${secondsLeft} s left` : ""}</span>
    </p>
  );
}
