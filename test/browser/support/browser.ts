import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { chromium, type Page } from "playwright-core";
import type { Method, Outcome, PageScript, Refusal, Route, Watched } from "../page.ts";
import { startPageServer } from "./page-server.ts";

/** A name that the browser, and nothing else, resolves to this machine. */
const elsewhere = "console.example.com";

const launchArguments = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  `--host-resolver-rules=MAP ${elsewhere} 127.0.0.1`,
];

/** No step of the browser itself takes longer, in ms. */
const timeout = 20_000;

/** A page in Chromium, which calls servers of other origins. */
export interface OpenPage {
  readonly origin: string;
  call(route: Route, method: Method, request: JsonObject): Promise<Outcome>;
  watch(route: Route, what: Watched, request: JsonObject): Promise<OpenWatch>;
  /** Posts as a form does, which browsers do without asking the server first. */
  postUnasked(url: string, body: string): Promise<void>;
}

/** A watch that a page has under way. */
export interface OpenWatch {
  /** What it says next, or why it says no more. */
  next(): Promise<Outcome>;
  cancel(): Promise<void>;
}

/** A running Chromium. */
export interface Browser extends AsyncDisposable {
  /** Opens a page of an origin on loopback. */
  openPage(): Promise<OpenPage>;
  /** Opens a page whose origin is not on loopback. */
  openPageFromElsewhere(): Promise<OpenPage>;
}

/** Starts Chromium, and the web server with the page. */
export async function startBrowser(): Promise<Browser> {
  await using resources = new AsyncDisposableStack();
  const { port } = resources.use(await startPageServer());
  const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: launchArguments, timeout });
  resources.defer(() => browser.close());
  const open = async (origin: string): Promise<OpenPage> => {
    const page = await browser.newPage();
    page.setDefaultTimeout(timeout);
    await page.goto(origin);
    return inPage(page, origin);
  };
  const running = resources.move();
  return {
    openPage: () => open(`http://127.0.0.1:${port}`),
    openPageFromElsewhere: () => open(`http://${elsewhere}:${port}`),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function inPage(page: Page, origin: string): OpenPage {
  return {
    origin,
    call: (...call) =>
      page.evaluate(
        (json) => globalThis.wasmext.call(...(JSON.parse(json) as Parameters<PageScript["call"]>)),
        JSON.stringify(call),
      ),
    async watch(...watch) {
      const handle = await page.evaluateHandle(
        (json) =>
          globalThis.wasmext.watch(...(JSON.parse(json) as Parameters<PageScript["watch"]>)),
        JSON.stringify(watch),
      );
      return {
        next: () => handle.evaluate((w) => w.next()),
        cancel: () =>
          handle.evaluate((w) => {
            w.cancel();
          }),
      };
    },
    postUnasked: (url, body) =>
      page.evaluate(
        async ([to, text]) => {
          await fetch(to, { method: "POST", mode: "no-cors", body: text });
        },
        [url, body] as const,
      ),
  };
}

/** The answer of a call that is expected to be answered. */
export async function answer(call: Promise<Outcome>): Promise<JsonValue> {
  const outcome = await call;
  if ("refusal" in outcome) {
    throw new Error(`expected an answer, but the call was refused: ${outcome.refusal.message}`);
  }
  return outcome.answer;
}

/** What the page learns of a call that is expected to be refused. */
export async function refusal(call: Promise<Outcome>): Promise<Refusal> {
  const outcome = await call;
  if ("answer" in outcome) {
    throw new Error(`expected a refusal, but got ${JSON.stringify(outcome.answer)}`);
  }
  return outcome.refusal;
}
