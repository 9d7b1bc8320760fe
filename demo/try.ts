import { ClusterStack } from "./cluster-stack";
async function main() {
  const stack = await ClusterStack.start({ log: "kafka", onStarted: (n, ms) => console.log(n, Math.round(ms)),
    config: process.env.SQLITE ? { counters: { kind: "sqlite" }, archive: { kind: "directory" }, deadLetters: { kind: "sqlite" }, claims: { kind: "none" } } : {} });
  console.log(stack.folder, stack.processes.serveUrl, stack.config.flink.restUrl);
  const id = await stack.submit();
  console.log("job", id);
  process.on("SIGTERM", () => stack.stop().then(() => process.exit(0)));
  setInterval(() => undefined, 1000);
}
main().catch((e) => { console.error(e); process.exit(1); });
