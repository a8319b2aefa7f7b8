import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { WorkloadMode as Mode } from "../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import {
  acme,
  blue,
  blueSecurity,
  createAcme,
  ext,
  red,
  redEgress,
  redIngress,
  redSecurity,
} from "../support/acme.ts";
import { refused } from "../support/errors.ts";
import { storedSets } from "../support/stored.ts";

const attachmentsOf = (set: { extension: readonly { fqn: string }[] } | undefined) =>
  set?.extension.map(({ fqn }) => fqn);

describe("SetAttachments", () => {
  test("creates, replaces with the current etag, and returns what is stored", async () => {
    const { put, attachments } = createAcme();
    await put("a");
    const attachmentSet = {
      fqn: redIngress,
      workloadSelector: { namespace: "gateways", labels: { app: "in" } },
      extension: [{ fqn: ext("a"), config: { x: 1 } }],
    };
    const { attachmentSet: created } = await attachments.setAttachments({ attachmentSet });
    expect(created).toMatchObject(attachmentSet);
    expect(await attachments.getAttachments({ fqn: redIngress })).toMatchObject({
      attachmentSet: created,
    });
    const { attachmentSet: replaced } = await attachments.setAttachments({
      attachmentSet: { fqn: redIngress, etag: created?.etag ?? "" },
    });
    expect(attachmentsOf(replaced)).toEqual([]);
    expect(replaced?.workloadSelector).toBeUndefined();
    expect(replaced?.etag).not.toBe(created?.etag);
  });

  test("that changes nothing keeps the etag and makes no commit", async () => {
    const { put, attach, reader } = createAcme();
    await put("a");
    await attach(redIngress, [{ fqn: ext("a") }]);
    const { revision } = reader.state;
    await attach(redIngress, [{ fqn: ext("a") }]);
    expect(reader.state.revision).toBe(revision);
  });

  test.each([
    ["none, though the set exists", true, ""],
    ["a stale one", true, '"AAAAAAAAAAA="'],
    ["one, though the set does not exist", false, '"AAAAAAAAAAA="'],
  ])("with an etag that is %s is ABORTED", async (_what, exists, etag) => {
    const { attach, attachments } = createAcme();
    if (exists) {
      await attach(redSecurity, []);
    }
    const said = await refused(
      attachments.setAttachments({ attachmentSet: { fqn: redSecurity, etag } }),
    );
    expect(said).toMatchObject({ code: Code.Aborted, reason: "ETAG_MISMATCH" });
  });

  test("refuses an extension that is not there or not allowed in one and the same way", async () => {
    const { put, attachments } = createAcme();
    await put("of-blue", { allowedIn: [blue] });
    for (const name of ["of-blue", "nowhere"]) {
      const said = await refused(
        attachments.setAttachments({
          attachmentSet: { fqn: redIngress, extension: [{ fqn: ext(name) }] },
        }),
      );
      expect(said).toMatchObject({
        code: Code.FailedPrecondition,
        reason: "EXTENSION_NOT_USABLE",
        metadata: { extension: ext(name), tenant: red },
      });
      expect(said.message).toBe(
        `${ext(name)} does not exist, or ${red} may not use it; create it, or add the tenant to its allowed_in`,
      );
    }
  });

  const at = "attachment_set.extension[0]";
  const server = { match: [{ mode: Mode.SERVER }] };
  test.each([
    ["no extension's fqn", redIngress, { fqn: "x" }, `${at}.fqn`],
    ["an empty fqn", redIngress, { fqn: "" }, `${at}.fqn`],
    ["another organization", redIngress, { fqn: "organizations/b/extensions/a" }, `${at}.fqn`],
    ["SERVER on an ingress gateway", redIngress, server, `${at}.match[0].mode`],
    ["SERVER on an egress gateway", redEgress, server, `${at}.match[0].mode`],
    ["no mode of the enum", redSecurity, { match: [{ mode: 9 as never }] }, `${at}.match[0].mode`],
    [
      "port 0",
      redIngress,
      { match: [{ ports: [{ number: 0 }] }] },
      `${at}.match[0].ports[0].number`,
    ],
    [
      "port 65536",
      redIngress,
      { match: [{ ports: [{ number: 1 }, { number: 65536 }] }] },
      `${at}.match[0].ports[1].number`,
    ],
    ["NaN in a config", redIngress, { config: { a: NaN } }, `${at}.config`],
    ["an organization as target", acme, {}, "attachment_set.fqn"],
    ["a gateway group as target", redIngress.replace(/\/ingress.*/, ""), {}, "attachment_set.fqn"],
    ["a longer target", `${redSecurity}/x`, {}, "attachment_set.fqn"],
  ])("refuses %s", async (_what, fqn, attachment, path) => {
    const { put, attachments, reader } = createAcme();
    await put("a");
    const extension = [{ fqn: ext("a"), ...attachment }];
    const said = await refused(attachments.setAttachments({ attachmentSet: { fqn, extension } }));
    expect(said).toMatchObject({ code: Code.InvalidArgument, fields: [path] });
    expect(storedSets(reader).size).toBe(0);
  });

  const selector = "attachment_set.workload_selector";
  const label = "x".repeat(63);
  test.each([
    ["a namespace with a dot", { namespace: "a.b" }, `${selector}.namespace`],
    ["a namespace in capitals", { namespace: "Shop" }, `${selector}.namespace`],
    ["a namespace of 64", { namespace: "n".repeat(64) }, `${selector}.namespace`],
    ["a namespace with a line break", { namespace: "n\n" }, `${selector}.namespace`],
    ["a namespace that is one space", { namespace: " " }, `${selector}.namespace`],
    ["a value with a space", { labels: { app: "a b" } }, `${selector}.labels["app"]`],
    ["a value of 64", { labels: { app: `${label}x` } }, `${selector}.labels["app"]`],
    ["a value that is a wildcard", { labels: { app: "*" } }, `${selector}.labels["app"]`],
    ["a value that ends with a dot", { labels: { app: "a." } }, `${selector}.labels["app"]`],
    ["a value with a slash", { labels: { app: "a/b" } }, `${selector}.labels["app"]`],
    ["an empty key", { labels: { "": "x" } }, `${selector}.labels[""]`],
    ["a key of 64", { labels: { [`${label}k`]: "x" } }, `${selector}.labels["${label}k"]`],
    ["a key with a colon", { labels: { "a:b": "x" } }, `${selector}.labels["a:b"]`],
    ["a key without a name", { labels: { "a/": "x" } }, `${selector}.labels["a/"]`],
    ["a key without its prefix", { labels: { "/a": "x" } }, `${selector}.labels["/a"]`],
    ["a key of three parts", { labels: { "a/b/c": "x" } }, `${selector}.labels["a/b/c"]`],
    ["a prefix in capitals", { labels: { "A.b/c": "x" } }, `${selector}.labels["A.b/c"]`],
    ["a prefix of 254", { labels: { [`${"p".repeat(254)}/n`]: "x" } }, `${selector}.labels`],
    ["a key of 1,000,000", { labels: { ["k".repeat(1_000_000)]: "x" } }, `${selector}.labels`],
    [
      "two bad labels",
      { labels: { "*": "x", b: "*" } },
      [`${selector}.labels["*"]`, `${selector}.labels["b"]`],
    ],
  ])("refuses what Kubernetes cannot have: %s", async (_what, workloadSelector, fields) => {
    const { attachments, reader } = createAcme();
    const said = await refused(
      attachments.setAttachments({ attachmentSet: { fqn: redIngress, workloadSelector } }),
    );
    expect(said.code).toBe(Code.InvalidArgument);
    expect(said.fields.toSorted()).toEqual([fields].flat());
    expect(said.message).toMatch(/; (?:write|use) /);
    expect(storedSets(reader).size).toBe(0);
  });

  test("accepts what Kubernetes has", async () => {
    const { attachments } = createAcme();
    const workloadSelector = {
      namespace: "n".repeat(63),
      labels: {
        "app.kubernetes.io/name": "web",
        [`${"p".repeat(253)}/${label}`]: label,
        "0/A": "0",
        istio: "ingress_gateway.1",
        empty: "",
      },
    };
    const { attachmentSet } = await attachments.setAttachments({
      attachmentSet: { fqn: redIngress, workloadSelector },
    });
    expect(attachmentSet?.workloadSelector).toMatchObject(workloadSelector);
  });

  test.each([
    ["without quotes", "GIc73bzDiK8="],
    ["that is weak", 'W/"GIc73bzDiK8="'],
    ["of another length", '"GIc73bzDiK8AAAA="'],
    ["that is not base64", '"GIc73bzDi-8="'],
    ["that no encoder writes", '"GIc73bzDiK9="'],
    ["without padding", '"GIc73bzDiK8"'],
    ["that is any", "*"],
    ["with white space", ' "GIc73bzDiK8="'],
  ])("refuses an etag %s, which no server gave", async (_what, etag) => {
    const { attach, attachments } = createAcme();
    for (const exists of [false, true]) {
      if (exists) {
        await attach(redIngress, []);
      }
      const said = await refused(
        attachments.setAttachments({ attachmentSet: { fqn: redIngress, etag } }),
      );
      expect(said).toMatchObject({ code: Code.InvalidArgument, fields: ["attachment_set.etag"] });
      expect(said.message).toContain('such as "GIc73bzDiK8="');
    }
  });

  test("accepts SERVER in a security group, and every port", async () => {
    const { put, attach } = createAcme();
    await put("a");
    const match = [{ mode: Mode.SERVER, ports: [{ number: 1 }, { number: 65535 }] }];
    await attach(redSecurity, [{ fqn: ext("a"), match }]);
  });

  test("accepts 1,000 attachments, and refuses one more", async () => {
    const { put, attach, attachments } = createAcme();
    await put("a");
    await attach(redSecurity, Array(1_000).fill({ fqn: ext("a") }));
    const extension = Array(1_001).fill({ fqn: ext("a") }) as { fqn: string }[];
    const said = await refused(
      attachments.setAttachments({ attachmentSet: { fqn: redIngress, extension } }),
    );
    expect(said).toMatchObject({
      code: Code.InvalidArgument,
      fields: ["attachment_set.extension"],
    });
  });

  test("refuses a request without a set", async () => {
    const said = await refused(createAcme().attachments.setAttachments({}));
    expect(said).toMatchObject({ code: Code.InvalidArgument, fields: ["attachment_set"] });
  });
});

describe("ListAttachments", () => {
  test("lists what is under an organization, tenant, workspace or group, by fqn", async () => {
    const { attach, attachments } = createAcme();
    const longer = `${acme}/tenants/red-2/workspaces/w/securitygroups/s`;
    for (const target of [redSecurity, redIngress, blueSecurity, redEgress, longer]) {
      await attach(target, []);
    }
    const ofRed = [redEgress, redIngress, redSecurity];
    for (const [parent, expected] of [
      [acme, [blueSecurity, longer, ...ofRed]],
      [red, ofRed],
      [`${red}/workspaces/w`, ofRed],
      [`${red}/workspaces/w/gatewaygroups/g`, [redEgress, redIngress]],
      [redSecurity, [redSecurity]],
      ["organizations/other", []],
    ] as const) {
      const { attachmentSets } = await attachments.listAttachments({ parent });
      expect(attachmentSets.map(({ fqn }) => fqn)).toEqual(expected);
      const shown: string[] = [];
      let pageToken = "";
      do {
        const page = await attachments.listAttachments({ parent, pageSize: 1, pageToken });
        shown.push(...page.attachmentSets.map(({ fqn }) => fqn));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect(shown).toEqual(expected);
    }
  });

  test("does not take the token of another list", async () => {
    const { put, extensions, attachments } = createAcme();
    await put("a");
    await put("b");
    const { nextPageToken } = await extensions.listWasmExtension({ parent: acme, pageSize: 1 });
    const said = await refused(
      attachments.listAttachments({ parent: acme, pageSize: 1, pageToken: nextPageToken }),
    );
    expect(said.reason).toBe("PAGE_TOKEN_INVALID");
  });
});

describe("attachments go with what they attach", () => {
  test("deleting an extension removes its attachments, and no others", async () => {
    const { put, attach, remove, attachments, reader } = createAcme();
    await put("a");
    await put("b");
    await attach(redIngress, [{ fqn: ext("a") }, { fqn: ext("b") }, { fqn: ext("a") }]);
    await attach(redSecurity, [{ fqn: ext("a") }]);
    await attach(blueSecurity, [{ fqn: ext("b") }]);
    const { revision } = reader.state;
    await remove("a");
    expect(reader.state.revision).toBe(revision + 1n);
    const { attachmentSets } = await attachments.listAttachments({ parent: acme });
    expect(attachmentSets.map(attachmentsOf)).toEqual([[ext("b")], [ext("b")], []]);
  });

  test("narrowing allowed_in removes the attachments of tenants that lost it", async () => {
    const { put, attach, reader } = createAcme();
    await put("a");
    await attach(redSecurity, [{ fqn: ext("a") }]);
    await attach(blueSecurity, [{ fqn: ext("a") }]);
    const { revision } = reader.state;
    const etag = storedSets(reader).get(blueSecurity)?.etag;
    await put("a", { allowedIn: [red] });
    expect(reader.state.revision).toBe(revision + 1n);
    expect(attachmentsOf(storedSets(reader).get(redSecurity))).toEqual([ext("a")]);
    expect(attachmentsOf(storedSets(reader).get(blueSecurity))).toEqual([]);
    expect(storedSets(reader).get(blueSecurity)?.etag).not.toBe(etag);
  });

  test("deleting a set frees the target, and NOT_FOUND follows", async () => {
    const { attach, attachments } = createAcme();
    await attach(redSecurity, []);
    await attachments.deleteAttachments({ fqn: redSecurity });
    for (const call of [attachments.deleteAttachments, attachments.getAttachments]) {
      expect(await refused(call({ fqn: redSecurity }))).toMatchObject({
        code: Code.NotFound,
        metadata: { fqn: redSecurity },
      });
    }
    await attach(redSecurity, []);
  });
});
