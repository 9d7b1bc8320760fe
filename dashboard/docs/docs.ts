// SPDX-License-Identifier: Apache-2.0
/** The documentation's pages: search, and forms that send requests to this service. The pages of /docs load it. */
import MiniSearch from "minisearch";

interface Section {
  id: string;
  page: string;
  heading: string;
  text: string;
}

const MOST_FOUND = 12;
const input = document.getElementById("search") as HTMLInputElement;
const list = document.getElementById("found") as HTMLUListElement;
let index: Promise<MiniSearch<Section>> | undefined;

async function load(): Promise<MiniSearch<Section>> {
  const made = new MiniSearch<Section>({
    fields: ["heading", "page", "text"],
    storeFields: ["page", "heading"],
    searchOptions: { prefix: true, fuzzy: 0.15, boost: { heading: 4, page: 2 }, combineWith: "AND" },
  });
  const sections = (await (await fetch("/docs/search.json")).json()) as Section[];
  made.addAll([...new Map(sections.map((section) => [section.id, section])).values()]);
  return made;
}

input.addEventListener("input", async () => {
  index ??= load();
  const typed = input.value.trim();
  const found = typed === "" ? [] : (await index).search(typed).slice(0, MOST_FOUND);
  if (typed !== input.value.trim()) return;
  list.replaceChildren(
    ...found.map(({ id, page, heading }) => {
      const link = document.createElement("a");
      link.href = id as string;
      link.textContent = page === heading ? page : `${page}: ${heading}`;
      const item = document.createElement("li");
      item.append(link);
      return item;
    }),
  );
  if (typed !== "" && found.length === 0)
    list.replaceChildren(Object.assign(document.createElement("li"), { textContent: "nothing found" }));
});
input.addEventListener("keydown", ({ key }) => {
  if (key === "Enter") list.querySelector("a")?.click();
  if (key !== "Escape") return;
  input.value = "";
  list.replaceChildren();
});

for (const link of document.querySelectorAll<HTMLAnchorElement>("nav a"))
  if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
// On a phone the menu is closed at first.
if (matchMedia("(max-width: 56rem)").matches)
  for (const group of document.querySelectorAll("nav details")) group.removeAttribute("open");

for (const form of document.querySelectorAll<HTMLFormElement>("form.try"))
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void tryOut(form);
  });

async function tryOut(form: HTMLFormElement): Promise<void> {
  const output = form.querySelector("output")!;
  const { method = "get", path: template = "" } = form.dataset;
  let path = template;
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form) as unknown as Iterable<[string, string]>) {
    if (name === "$body" || value === "") continue;
    if (path.includes(`{${name}}`)) path = path.replace(`{${name}}`, encodeURIComponent(value));
    else query.set(name, value);
  }
  const body = form.querySelector("textarea")?.value;
  const key = sessionStorage.getItem("viewmill-key");
  const headers = {
    ...(body === undefined ? {} : { "content-type": form.dataset.type ?? "application/json" }),
    ...(key === null ? {} : { authorization: `Bearer ${key}` }),
  };
  const address = `${path}${query.size > 0 ? `?${query}` : ""}`;
  output.textContent = `${method.toUpperCase()} ${address}\n…`;
  try {
    const response = await fetch(address, {
      method: method.toUpperCase(),
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    output.textContent = `${method.toUpperCase()} ${address}\n${response.status} ${response.headers.get("content-type") ?? ""}\n\n${indented(text)}`;
  } catch (error) {
    output.textContent = `${method.toUpperCase()} ${address}\n${String(error)}`;
  }
}

/** Indents JSON for reading. Digits stay as they are; JSON with integers beyond 2^53 stays on one line. */
function indented(text: string): string {
  try {
    return /\d{16}/.test(text) ? text : JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text.slice(0, 5_000);
  }
}
