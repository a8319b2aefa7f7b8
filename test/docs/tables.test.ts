/* The tables of options, commands, services and reasons have what the code has. */
import { readdirSync, readFileSync } from "node:fs";
import type { DescService } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { Tenants } from "../../gen/tetrateio/api/tsb/v2/tenant_service_pb.ts";
import { AccessService } from "../../gen/wasmext/v1/access_service_pb.ts";
import { AttachmentService } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { ChainService } from "../../gen/wasmext/v1/chain_service_pb.ts";
import { ExportService } from "../../gen/wasmext/v1/export_service_pb.ts";
import { ProxyService } from "../../gen/wasmext/v1/proxy_service_pb.ts";
import { WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { serveCommand } from "../../src/cli/commands/serve.ts";
import { exitCodes } from "../../src/cli/program.ts";
import { clientCommand } from "../../src/cli/connection.ts";
import { moduleReasons } from "../../src/modules/problem.ts";
import { runCli } from "../support/cli.ts";
import { readPage, tableRows } from "../support/markdown.ts";

const root = new URL("../../", import.meta.url).pathname;

/** The rows of the table whose heading begins with a text. */
function tableOf(page: string, heading: string): string[][] {
  const [, table = ""] = readPage(page).split(`\n| ${heading} `);
  return tableRows(`| ${heading} ${table.split("\n\n")[0] ?? ""}`);
}

/** An option as the tables have it: its name, its variable and its default. */
function optionsOf({ options }: Command): string[][] {
  const code = (text: string): string => (text === "" ? "" : `\`${text}\``);
  return options.map(({ long, envVar = "", defaultValue = "" }) =>
    [long ?? "", envVar, String(defaultValue)].map(code),
  );
}

describe("options", () => {
  test("docs/server.md has those of serve", () => {
    const rows = tableOf("docs/server.md", "option");
    const serve = serveCommand(() => Promise.resolve());
    expect(rows.map((row) => row.slice(0, 3))).toEqual(optionsOf(serve));
  });

  test("docs/cli.md has those of commands that talk to a server", () => {
    const rows = tableOf("docs/cli.md", "option");
    expect(rows.map((row) => row.slice(0, 3))).toEqual([
      ...optionsOf(clientCommand("any")),
      ["`-o, --output`", "", "`table`"],
    ]);
  });
});

describe("commands", () => {
  const documented = tableOf("docs/cli.md", "command").map(([command = "", text = ""]) => {
    const [, name = ""] = /^`wasmext ((?:export |envoy )?[a-z]+)/.exec(command) ?? [];
    return { name, options: `${command} ${text}`.match(/(?<=`| )--?[a-z]+(?:-[a-z]+)*/g) ?? [] };
  });

  test("docs/cli.md has all of them", async () => {
    const groups = ["export", "envoy"];
    const names = (await commandsIn([])).filter((name) => !groups.includes(name));
    for (const group of groups) {
      names.push(...(await commandsIn([group])).map((name) => `${group} ${name}`));
    }
    expect(documented.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  });

  test.each(documented)("docs/cli.md: $name has the options $options", async (command) => {
    const { stdout } = await runCli([...command.name.split(" "), "--help"]);
    for (const option of command.options) {
      expect(stdout).toMatch(new RegExp(` ${option}[ ,]`));
    }
  });

  test("docs/cli.md has the exit codes", () => {
    const codes = tableOf("docs/cli.md", "exit code").map(([code]) => Number(code));
    expect(codes).toEqual(Object.values(exitCodes));
  });

  async function commandsIn(group: readonly string[]): Promise<string[]> {
    const { stdout } = await runCli([...group, "--help"]);
    const [, list = ""] = stdout.split("\nCommands:\n");
    return [...(list.split("\n\n")[0] ?? "").matchAll(/^ {2}([a-z]+)/gm)]
      .map(([, name = ""]) => name)
      .filter((name) => name !== "help");
  }
});

test("docs/api.md has all services and methods", () => {
  const rows = tableOf("docs/api.md", "service").map(([service = "", methods = ""]) => [
    /`([^`]+)`/.exec(service)?.[1],
    ...[...methods.matchAll(/`([^`]+)`/g)].map(([, method]) => method),
  ]);
  const services: DescService[] = [
    ...[WasmExtensions, Tenants, AttachmentService],
    ...[ChainService, WatchService, ExportService, AccessService, ProxyService],
  ];
  expect(rows).toEqual(
    services.map(({ typeName, methods }) => [typeName, ...methods.map(({ name }) => name)]),
  );
});

test("docs/modules.md has all reasons why a module is not to be had", () => {
  const reasons = tableOf("docs/modules.md", "reason").map(([reason]) => reason);
  expect(reasons.toSorted()).toEqual(moduleReasons.map((reason) => `\`${reason}\``).toSorted());
});

describe("reasons of errors", () => {
  const sources = readdirSync(`${root}src`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => ({ name, text: readFileSync(`${root}src/${name}`, "utf8") }));
  const documented = tableOf("docs/errors.md", "code").map(([, cell = ""]) =>
    cell.replaceAll("`", ""),
  );

  test("docs/errors.md has none that the code does not have", () => {
    const all = sources.map(({ text }) => text).join("");
    // The name of the system that cannot hold the export is put in.
    const literal = (reason: string): string => reason.replace(/(?<=^NOT_EXPORTABLE_TO_).*/, "${");
    expect(documented.filter((reason) => !all.includes(literal(reason)))).toEqual([]);
  });

  test("docs/errors.md has all that files of errors have", () => {
    const reasons = sources
      .filter(({ name }) => /(?:errors|refusals)\.ts$/.test(name))
      .flatMap(({ text }) => [...text.matchAll(/"([A-Z]+(?:_[A-Z]+)+)"/g)])
      .map(([, reason]) => reason);
    expect(reasons.length).toBeGreaterThan(10);
    expect(documented).toEqual(expect.arrayContaining(reasons));
  });
});
