/*
 * The Connect conformance suite against the listener and port of the server: all protocols, versions of
 * HTTP, codecs and compressions that config.yaml declares, with and without TLS. Needs Go.
 */
import { afterAll, describe, expect, inject, test } from "vitest";
import { knownDeviations } from "./known-deviations.ts";
import { declaredWays, type Failure, type Report, runSuite, type Way } from "./suite.ts";

/** Many times what the slowest way takes. */
const timeoutMs = 120_000;

describe("the Connect conformance suite", () => {
  const ways = declaredWays().map((way) => ({ way, name: nameOf(way) }));
  const reports = new Map<string, Report>();

  test.each(ways)(
    "$name",
    async ({ way, name }) => {
      const report = await runSuite(inject("goTools"), way, timeoutMs);
      reports.set(name, report);
      expect(report.failures.flatMap(unexpected)).toEqual([]);
      expect(report.passed).toBeGreaterThan(0);
    },
    timeoutMs + 5_000,
  );

  test("reports every known deviation", () => {
    const lines = [...reports.values()].flatMap(({ failures }) => failures.flatMap(pairs));
    const stale = knownDeviations.filter((deviation) => !lines.some(isOf(deviation)));
    expect(stale).toEqual([]);
  });

  afterAll(() => {
    process.stdout.write(summary(reports));
  });
});

type Line = readonly [name: string, line: string];

function pairs({ name, lines }: Failure): Line[] {
  return lines.map((line) => [name, line]);
}

function isOf({ cases, says }: (typeof knownDeviations)[number]) {
  return ([name, line]: Line): boolean => cases.test(name) && says.test(line);
}

/** What the suite says of a case beyond the known deviations. */
function unexpected(failure: Failure): string[] {
  return pairs(failure)
    .filter((line) => !knownDeviations.some((deviation) => isOf(deviation)(line)))
    .map(([name, line]) => `${name}: ${line}`);
}

function nameOf({ version, protocol, tls }: Way): string {
  const protocols: Readonly<Record<string, string>> = {
    PROTOCOL_CONNECT: "Connect",
    PROTOCOL_GRPC: "gRPC",
    PROTOCOL_GRPC_WEB: "gRPC-Web",
  };
  const http = version === "HTTP_VERSION_1" ? "HTTP/1.1" : "HTTP/2";
  return `${protocols[protocol] ?? protocol} over ${http} ${tls ? "with" : "without"} TLS`;
}

function summary(reports: ReadonlyMap<string, Report>): string {
  const all = [...reports.values()].flatMap(({ failures }) => failures);
  const passed = [...reports.values()].reduce((sum, report) => sum + report.passed, 0);
  const rows = [...reports].map(([name, report]) => row(name, report));
  const reasons = knownDeviations.map((deviation) => {
    const count = all.filter((failure) => pairs(failure).some(isOf(deviation))).length;
    return `${count} cases: ${deviation.reason}`;
  });
  const total = row(`${passed + all.length} cases`, { passed, failures: all });
  return `\n${[...rows, total, "Known deviations:", ...reasons].join("\n")}\n`;
}

function row(name: string, { passed, failures }: Report): string {
  const failed = failures.filter((failure) => unexpected(failure).length > 0).length;
  return `${name}: ${passed} passed, ${failures.length - failed} deviate as known, ${failed} failed`;
}
