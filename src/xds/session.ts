/*
 * A proxy that is connected: the slots that it asks for, and the answers that it is due. The two forms of the
 * protocol are thin over it; see protocols.ts.
 */
import { randomBytes } from "node:crypto";
import type { Node } from "../../gen/envoy/config/core/v3/base_pb.ts";
import { may, type Principal } from "../catalog/access/principal.ts";
import { tooManySlots } from "../catalog/errors.ts";
import { messageOf } from "../catalog/message-of.ts";
import { excerpt } from "../catalog/names/excerpt.ts";
import type { Module } from "../modules/modules.ts";
import type { Pieces } from "../wire/pieces.ts";
import { denyFilter, type Filter, type OnFailure } from "./filter.ts";
import { type ProxyNode, readNode } from "./node.ts";
import { fetchedModules, inlineModules, type ModuleDelivery, resourceOf } from "./resource.ts";
import { createPlace, type Place } from "./place.ts";
import { createSlot, filterOf, type Running, type Slot, type SlotContent } from "./slot.ts";
import { linksFor, type SharingSlot, SlotShares } from "./slot-shares.ts";
import type { CallerUse } from "./caller-use.ts";
import { ModuleFetches } from "./module-fetches.ts";
import { readSlotName, type SlotPlace, SlotProblem } from "./slot-name.ts";
import {
  type FollowedChain,
  unfilled,
  type WantedChain,
  type WantedChains,
} from "./wanted-chains.ts";

/** What sessions share. */
export interface SessionContext {
  readonly chains: WantedChains;
  /** The slots of all proxies, by proxy, target and traffic. */
  readonly places: Map<string, Place>;
  /** Identifies the catalog; see Reader. It is part of the versions that proxies get. */
  readonly catalog: string;
  /** Whether the catalog has attachments of a target, even if they are none. */
  hasAttachments(target: string): boolean;
  /** What becomes of requests in a slot that cannot be filled, by its phases; undefined if they are not known. */
  onFailure(phases: SlotPlace["phases"] | undefined): OnFailure;
  /** The greatest module that is sent in a resource, in bytes. */
  readonly maxInlineBytes: number;
  /** The configuration of a slot; see chainConfig. */
  configOf(content: SlotContent, delivery: ModuleDelivery): Promise<Pieces>;
  /** What was sent under a version, by this server; undefined if it is not known. */
  filtersOf(version: string): readonly Filter[] | undefined;
  /** Is told what a proxy has accepted. Returns the same filters as other proxies that have it hold them. */
  accepted(content: SlotContent): readonly Filter[];
  /** Is told of a version that a proxy has refused. */
  refused(version: string): void;
  /** Is told of what a proxy has not answered before it went, and may have accepted or refused. */
  unanswered(content: SlotContent): void;
  /** Is told why a proxy refuses what it has got for a slot. */
  complains(session: ProxySession, slot: string, reason: string): void;
  /** Is told that a proxy cannot run extensions. */
  unsupported(session: ProxySession, problem: string): void;
  /** Is told that a proxy has asked for a slot that it cannot have. */
  unfilled(session: ProxySession, slot: string, problem: string): void;
  /** Is told that what the proxy runs, or should run, has changed. */
  changed(session: ProxySession): void;
  /** Is told that the proxy begins to serve a target, or ceases to. */
  serves(session: ProxySession, target: string, isServing: boolean): void;
}

/** A slot of a session. */
export interface OpenSlot {
  readonly name: string;
  /** What it is for; undefined if the proxy may not have it, or the name is none. */
  readonly place: SlotPlace | undefined;
  readonly slot: Slot;
  /** What should run in it. */
  readonly wanted: WantedChain;
  /** All that should run where it is, in other slots, too. */
  readonly whole: WantedChain;
  /** Why the latest answer could not be made. */
  readonly problem: string | undefined;
}

/** An answer that a proxy is due. */
export interface SlotAnswer {
  readonly name: string;
  readonly version: string;
  readonly nonce: string;
  /** Encoded, as an Any. */
  readonly resource: Pieces;
}

/** How many slots a proxy may ask for. */
export const maxSlots = 1_000;

/** Longest name that a proxy may ask for, in characters. */
const maxName = 1_024;

/** Length of all names that a proxy may ask for together, in characters: longer ones are kept to be answered. */
const maxNames = maxSlots * maxName;

/** Longest reason of a refusal that is kept, in characters. */
const maxReason = 400;

interface OwnSlot extends OpenSlot, SharingSlot {
  readonly chain: FollowedChain | undefined;
  /** The slots for the same traffic. */
  readonly beside: Place;
  /** Whether the proxy runs what it got from another catalog, such as that of a memory store before a restart. */
  isOfOther: boolean;
  /** The filters that it runs, and those that it has been sent. */
  held: readonly (readonly Filter[])[];
  nonce: string | undefined;
  problem: string | undefined;
}

/** How a proxy is connected. */
export interface ProxyConnection {
  /** Identifies the connection. */
  readonly uid: string;
  readonly principal: Principal;
  /** What all proxies of the caller take up. */
  readonly caller: CallerUse;
  readonly origin?: ProxyOrigin | undefined;
}

/** Where a proxy comes from. */
export interface ProxyOrigin {
  /** The address and the port of the connection's other side. */
  readonly peer?: string | undefined;
  /** The name under which it has reached this server, with the port if it has said one. */
  readonly host?: string | undefined;
}

/** A connected proxy. */
export class ProxySession {
  readonly uid: string;
  readonly connectedAt = Date.now();
  /** Part of the address of its modules, so that only it can fetch them. */
  readonly secret = randomBytes(16).toString("base64url");
  readonly principal: Principal;
  readonly caller: CallerUse;
  readonly #origin: ProxyOrigin;
  readonly #context: SessionContext;
  readonly #slots = new Map<string, OwnSlot>();
  /** Of the names of all slots together, in characters. */
  #nameLength = 0;
  readonly #byTarget = new Map<string, Set<OwnSlot>>();
  readonly #shares: SlotShares<OwnSlot>;
  readonly #due = new Set<OwnSlot>();
  readonly #fetches = new ModuleFetches((digest, isLoaded) => {
    for (const open of this.#slots.values()) {
      if (isLoaded) {
        open.slot.loaded(digest);
      } else {
        open.slot.notLoaded(digest);
      }
      this.#push(open);
    }
  });
  #node: ProxyNode | undefined;
  /** The modules in the answer that is being written. */
  #written: readonly Module[] = [];
  #nonces = 0;
  #isFinishing = false;
  #isEnded = false;
  #wake: () => void = () => undefined;

  constructor({ uid, principal, caller, origin = {} }: ProxyConnection, context: SessionContext) {
    this.uid = uid;
    this.principal = principal;
    this.caller = caller;
    this.#shares = new SlotShares<OwnSlot>(caller, (open) => {
      this.#push(open);
    });
    this.#origin = origin;
    this.#context = context;
  }

  /** What the proxy has said of itself; undefined before its first request. */
  get node(): ProxyNode | undefined {
    return this.#node;
  }

  /** Identifies the proxy, which may have a stream for each slot, all of them over one connection. */
  get proxyKey(): string {
    const { peer } = this.#origin;
    return peer === undefined ? this.uid : JSON.stringify([peer, this.#node?.id]);
  }

  get slots(): Iterable<OpenSlot> {
    return this.#slots.values();
  }

  /** The slots of a target. */
  slotsOf(target: string): Iterable<OpenSlot> {
    return this.#byTarget.get(target) ?? [];
  }

  /** Takes the node of a request: the first one counts. */
  greet(node: Node | undefined): void {
    if (this.#node !== undefined) {
      return;
    }
    this.#node = readNode(node);
    const { problem } = this.#node;
    if (problem !== undefined) {
      this.#context.unsupported(this, problem);
    }
  }

  /**
   * The proxy asks for a slot.
   *
   * Raises a CatalogError of the kind too-many if it has as many as one may have.
   *
   * @param version - of what it runs there from an earlier connection; undefined if nothing
   */
  subscribe(name: string, version?: string): void {
    const known = this.#slots.get(name);
    if (known !== undefined) {
      known.slot.resend();
      this.#push(known);
      return;
    }
    if (this.#slots.size >= maxSlots || this.#nameLength + name.length > maxNames) {
      throw tooManySlots(maxSlots);
    }
    this.caller.addSlot(name);
    this.#nameLength += name.length;
    const open = this.#open(name, version);
    this.#slots.set(name, open);
    this.#hold(open);
    if (open.place !== undefined) {
      const { target } = open.place;
      const ofTarget = this.#byTarget.get(target) ?? new Set();
      this.#byTarget.set(target, ofTarget.add(open));
      this.#context.serves(this, target, true);
    }
    this.#push(open);
  }

  /** The proxy no longer asks for a slot. */
  unsubscribe(name: string): void {
    const open = this.#slots.get(name);
    if (open !== undefined) {
      this.#slots.delete(name);
      this.#nameLength -= name.length;
      this.#due.delete(open);
      this.#shares.forget(open);
      this.#close(open);
      this.#context.changed(this);
    }
  }

  /** The names of the slots that the proxy asks for. */
  get names(): string[] {
    return [...this.#slots.keys()];
  }

  /**
   * The proxy has taken an answer, or has refused it. It says nothing of answers that are not the latest.
   *
   * @param error - why it has refused the answer
   */
  settle(nonce: string, error?: string): void {
    const open = [...this.#slots.values()].find((slot) => slot.nonce === nonce);
    const content = open?.slot.pending;
    if (open === undefined || content === undefined) {
      return;
    }
    open.nonce = undefined;
    if (error === undefined) {
      open.slot.accept(this.#context.accepted(content));
      open.isOfOther = false;
    } else {
      const reason = shortened(error);
      const remote = fetchedModules(content.filters, this.#context);
      // A proxy begins to fetch before it refuses, and may have the module by the time that its refusal arrives.
      const hadBefore = (digest: string): boolean => this.#fetches.hadBefore(digest, Number(nonce));
      open.slot.refuse(
        reason,
        ({ module }) =>
          module !== undefined && remote.has(module.digest) && !hadBefore(module.digest),
      );
      const loading = content.filters.filter((filter) => open.slot.isLoading(filter));
      for (const { module: { digest } = { digest: "" } } of loading) {
        if (this.#fetches.has(digest)) {
          open.slot.loaded(digest);
        } else {
          this.#fetches.await(digest);
        }
      }
      this.#context.refused(content.version);
      // A proxy that has yet to fetch a module says so by a refusal.
      if (loading.length === 0) {
        const { name, place } = open;
        this.#context.complains(this, place === undefined ? excerpt(name) : name, reason);
      }
    }
    this.#hold(open);
    this.#context.changed(this);
    this.#push(open);
    this.#shares.wake();
  }

  /** The proxy has begun to fetch a module. */
  fetching(digest: string): void {
    this.#fetches.begin(digest);
  }

  /** The proxy has fetched a module. */
  fetched(digest: string): void {
    this.#fetches.finish(digest, this.#nonces);
  }

  /** Whether the proxy has been told to fetch a module, or should run it: it may come late, or have lost it. */
  mayFetch(digest: string): boolean {
    const has = (filter: Filter | undefined): boolean => filter?.module?.digest === digest;
    return (
      this.#fetches.isAwaited(digest) ||
      [...this.#slots.values()].some(
        ({ slot, wanted }) =>
          slot.pending?.filters.some(has) === true ||
          slot.running?.filters?.some(has) === true ||
          wanted.links?.some((link) => has(filterOf(link))) === true,
      )
    );
  }

  /** The next answer; undefined when the session has ended. */
  async next(): Promise<SlotAnswer | undefined> {
    // The one before has been written.
    this.#write([]);
    while (!this.#isEnded) {
      const [open] = this.#due;
      if (open === undefined && this.#isFinishing) {
        break;
      }
      if (open === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      this.#due.delete(open);
      const answer = await this.#answerFor(open);
      if (answer !== undefined) {
        return answer;
      }
    }
    return undefined;
  }

  /** The proxy asks for nothing more: what is due now is answered. */
  finish(): void {
    this.#isFinishing = true;
    this.#wake();
  }

  /** Ends the session: nothing more is answered. */
  end(): void {
    this.#isEnded = true;
    const slots = [...this.#slots.values()];
    this.#slots.clear();
    slots.forEach((open) => {
      this.#close(open);
    });
    this.#due.clear();
    this.#shares.end();
    this.#write([]);
    this.#fetches.end();
    this.#wake();
  }

  #close(open: OwnSlot): void {
    const { chain, place, slot, beside } = open;
    chain?.stop();
    beside.slots.delete(slot);
    if (place !== undefined && beside.slots.size === 0) {
      this.#context.places.delete(this.#keyOf(place));
    }
    if (slot.pending !== undefined) {
      this.#context.unanswered(slot.pending);
    }
    this.#shares.leave(open);
    this.caller.hold(open.held, []);
    this.caller.removeSlot(open.name);
    const { target = "" } = place ?? {};
    const ofTarget = this.#byTarget.get(target);
    if (ofTarget?.delete(open) === true && ofTarget.size === 0) {
      this.#byTarget.delete(target);
      this.#context.serves(this, target, false);
    }
  }

  /** Keeps account of the modules in the answer that is written. */
  #write(modules: readonly Module[]): void {
    modules.forEach((module) => {
      this.caller.addModule(module);
    });
    this.#written.forEach((module) => {
      this.caller.removeModule(module);
    });
    this.#written = modules;
  }

  /** Keeps account of what a slot holds now. */
  #hold(open: OwnSlot): void {
    const { running, pending } = open.slot;
    const after = [running?.filters, pending?.filters].filter((filters) => filters !== undefined);
    this.caller.hold(open.held, after);
    open.held = after;
  }

  async #answerFor(open: OwnSlot): Promise<SlotAnswer | undefined> {
    const { links, revision, isSettling } = open.wanted;
    open.beside.forgetOthers(() => open.whole.links ?? []);
    const isKept = this.#isKept(open);
    const content =
      links === undefined || isSettling || isKept || this.#node?.problem !== undefined
        ? undefined
        : open.slot.next(links, revision);
    this.#hold(open);
    if (isKept) {
      open.problem = keptProblem(open.place?.target ?? "");
    }
    this.#context.changed(this);
    this.#shares.wait(open);
    if (content === undefined) {
      return undefined;
    }
    const modules = inlineModules(content.filters, this.#context);
    const all = this.#slots.values();
    const problem = this.#shares.problemWith(open, content.filters, modules, all);
    if (problem !== undefined) {
      open.problem = problem;
      return undefined;
    }
    try {
      const config = await this.#context.configOf(content, this.#delivery());
      if (this.#slots.get(open.name) !== open) {
        return undefined;
      }
      open.problem = undefined;
      open.slot.sent(content);
      this.#write(modules);
      this.#hold(open);
      const nonce = String(++this.#nonces);
      open.nonce = nonce;
      const { name } = open;
      const version = `${this.#context.catalog}.${content.version}`;
      return { name, version, nonce, resource: resourceOf(name, config) };
    } catch (error) {
      // What the proxy runs stays, until something changes.
      open.problem = messageOf(error);
      return undefined;
    }
  }

  /**
   * Whether a slot stays as it is, although nothing is attached: that says nothing if the catalog is not the one
   * that the proxy got its chain from.
   */
  #isKept({ isOfOther, place }: OwnSlot): boolean {
    return isOfOther && place !== undefined && !this.#context.hasAttachments(place.target);
  }

  #delivery(): ModuleDelivery {
    const { maxInlineBytes } = this.#context;
    const cluster = this.#node?.serverCluster ?? "";
    return {
      maxInlineBytes,
      location: ({ digest }) => ({
        uri: `http://${this.#origin.host ?? cluster}${modulePath(this.secret, digest)}`,
        cluster,
      }),
    };
  }

  #open(name: string, before: string | undefined): OwnSlot {
    const { chains, catalog } = this.#context;
    const hasLua = this.#node?.hasLua ?? true;
    const [catalogBefore, version] = readVersion(before ?? "");
    const running: Running | undefined =
      before === undefined
        ? undefined
        : { version, revision: 0n, filters: this.#context.filtersOf(version) };
    const isOfOther = before !== undefined && catalogBefore !== catalog;
    const openIn = (beside: Place) => {
      const deny = (key: string): Filter => denyFilter(key, hasLua);
      const slot = createSlot({ running, deny, place: beside });
      if (isOfOther) {
        // So that what runs has a version of this catalog.
        slot.resend();
      }
      beside.slots.add(slot);
      return {
        name,
        slot,
        beside,
        held: [],
        nonce: undefined,
        isOfOther,
        problem: undefined,
        share: undefined,
      };
    };
    try {
      const place = this.#placeOf(name);
      const placeKey = this.#keyOf(place);
      const beside = this.#context.places.get(placeKey) ?? createPlace();
      this.#context.places.set(placeKey, beside);
      const chain = chains.follow(place.target, () => {
        this.#push(open);
      });
      const wantedIn = (): WantedChain => this.#shares.wantedIn(open, place, chain.current);
      const open: OwnSlot = {
        ...openIn(beside),
        place,
        chain,
        get whole() {
          return linksFor(chain.current, { traffic: place.traffic });
        },
        get wanted() {
          return wantedIn();
        },
      };
      return open;
    } catch (error) {
      if (!(error instanceof SlotProblem)) {
        throw error;
      }
      const { message, phases } = error;
      this.#context.unfilled(this, name, message);
      const wanted = unfilled(message, this.#context.onFailure(phases));
      return {
        ...openIn(createPlace()),
        place: undefined,
        chain: undefined,
        wanted,
        whole: wanted,
      };
    }
  }

  /** Reads the name of a slot. Raises a SlotProblem if the proxy cannot have it. */
  #placeOf(name: string): SlotPlace {
    if (name.length > maxName) {
      throw new SlotProblem("the name of a slot is too long");
    }
    const place = readSlotName(name, this.#node?.place ?? {});
    if (!may(this.principal, "READ", place.target)) {
      const problem = `${place.target} does not exist, or the caller may not read it`;
      throw new SlotProblem(problem, place.phases);
    }
    return place;
  }

  /** Tells apart what slots are for, whatever their phases. */
  #keyOf({ target, traffic: { mode, port } }: SlotPlace): string {
    return JSON.stringify([this.proxyKey, target, mode, port]);
  }

  #push(open: OwnSlot): void {
    this.#due.add(open);
    this.#wake();
  }
}

/** The catalog and the content of a version. */
function readVersion(version: string): [catalog: string, content: string] {
  const end = version.lastIndexOf(".");
  return [version.slice(0, Math.max(end, 0)), version.slice(end + 1)];
}

function keptProblem(target: string): string {
  return `the proxy goes on with what it got from another catalog, since this one has no attachments of ${target}; set them, even to none`;
}

/** The path at which a session finds a module. */
export function modulePath(secret: string, digest: string): string {
  return `/modules/${secret}/${digest}`;
}

/** The beginning of a refusal: some quote the whole configuration. */
function shortened(reason: string): string {
  const text = reason
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ")
    .trim();
  return text.length > maxReason ? `${text.slice(0, maxReason)}…` : text;
}
