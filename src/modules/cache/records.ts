/* What a source had when it was fetched last: small files, whose names tell nothing about the source. */
import { createHash, randomUUID } from "node:crypto";
import { open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";

/** What tells whether a source has changed. */
export interface Validator {
  /** The digest of the manifest that a tag led to. */
  readonly manifest?: string | undefined;
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
}

/** What a source had. */
export interface SourceRecord {
  /** The sha256 of the module, in hex. */
  readonly digest: string;
  readonly validator: Validator;
  /** When it was fetched, or seen to be unchanged, in ms since 1970. */
  readonly checkedAt: number;
}

/** The longest record, in bytes, and the longest validator. */
const maxRecordBytes = 8 * 1024;
const maxValidator = 1024;

/**
 * The key of a source. The organization and the secret are part of it: that one organization has fetched a
 * module lets no other one have it without its own credentials.
 */
export function sourceKey(source: {
  readonly organization: string;
  readonly url: string;
  readonly pullSecret: string;
}): string {
  const { organization, pullSecret, url } = source;
  return createHash("sha256")
    .update(JSON.stringify([organization, pullSecret, url]))
    .digest("hex");
}

/** Reads a record; undefined if there is none, or none that can be used. */
export async function readRecord(folder: string, key: string): Promise<SourceRecord | undefined> {
  const path = join(folder, `${key}.json`);
  try {
    if ((await stat(path)).size > maxRecordBytes) {
      return undefined;
    }
    const record = recordOf(JSON.parse(await readFile(path, "utf8")));
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined);
    return record;
  } catch {
    return undefined;
  }
}

function recordOf(json: unknown): SourceRecord | undefined {
  const { digest, validator, checkedAt } = (json ?? {}) as Partial<
    Record<keyof SourceRecord, unknown>
  >;
  if (typeof digest !== "string" || !/^[0-9a-f]{64}$/.test(digest)) {
    return undefined;
  }
  const { manifest, etag, lastModified } = (validator ?? {}) as Record<keyof Validator, unknown>;
  const text = (value: unknown): string | undefined =>
    typeof value === "string" && /^[\x20-\x7e]*$/.test(value) ? value : undefined;
  return {
    digest,
    validator: { manifest: text(manifest), etag: text(etag), lastModified: text(lastModified) },
    checkedAt: typeof checkedAt === "number" ? checkedAt : 0,
  };
}

/** Writes a record, all of it or nothing. */
export async function writeRecord(
  folder: string,
  temporary: string,
  key: string,
  { digest, validator, checkedAt }: SourceRecord,
): Promise<void> {
  const short = (text: string | undefined): string | undefined =>
    text !== undefined && text.length <= maxValidator ? text : undefined;
  const { manifest, etag, lastModified } = validator;
  const record: SourceRecord = {
    digest,
    validator: { manifest, etag: short(etag), lastModified: short(lastModified) },
    checkedAt,
  };
  const draft = join(temporary, randomUUID());
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      // Not synced: a record that a power cut takes costs a fetch.
      await file.writeFile(JSON.stringify(record));
    } finally {
      await file.close();
    }
    await rename(draft, join(folder, `${key}.json`));
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
}
