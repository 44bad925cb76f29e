// Calls the WebAssembly module: the interface of include/touchstone.h on 32-bit pointers. No dependency, no file, no clock.

const OK = 0;
const FRESH = 1;
const AT = 2;
const SUITES = { ed25519: 1, "secp256k1-keccak": 2 };
const MAX_U64 = 2n ** 64n - 1n;

// Sizes and offsets of the structures where pointers have 32 bits.
const KEY = { size: 12, suite: 0, key: 4, len: 8 };
const POLICY = {
    size: 72, sizeField: 0, when: 4, time: 8, maxAge: 16, maxSkew: 24, maxTradeAge: 32, lastRound: 40, maxGap: 48,
    next: 56, minObservers: 60, allowed: 62, hasLastRound: 63, reserved: 64,
};
const PRICE = {
    size: 112, feed: 0, price: 32, low: 48, high: 64, round: 80, timestamp: 88, observedAt: 96, epoch: 104,
    observers: 108, status: 110, exponent: 111,
};
const INFO = { size: 152, networkId: 0, feedsRoot: 32, observationsRoot: 64, digest: 96, round: 128, timestamp: 136,
    epoch: 144, feedCount: 148, entries: 150, suite: 151 };
const FEED = { size: 33, name: 0, status: 32 };
const DECIMAL_TEXT_MAX = 80;

/** A refusal; `code` is the one that all clients and contracts share. */
export class TouchstoneError extends Error {
    constructor(code) {
        super(code);
        this.name = "TouchstoneError";
        this.code = code;
    }
}

/** The module, instantiated. Not for several threads: each makes its own. */
export class Touchstone {
    #calls;
    /** Blocks of the call that is being made, to be given back behind it. */
    #blocks = [];

    /** @param {WebAssembly.Module} module */
    constructor(module) {
        this.#calls = new WebAssembly.Instance(module, {}).exports;
        if (this.#calls.touchstone_abi_version() !== 1) {
            throw new TouchstoneError("unknown-version");
        }
    }

    /** Bytes of linear memory. */
    get memoryBytes() {
        return this.#calls.memory.buffer.byteLength;
    }

    /**
     * Pins a network.
     * @param {Uint8Array} networkId 32 bytes
     * @param {Partial<Record<"ed25519" | "secp256k1-keccak", Uint8Array>>} keys
     * @returns {number} a handle for {@link verify} and {@link freeVerifier}
     */
    pin(networkId, keys) {
        return this.#scope(() => {
            const entries = Object.entries(keys);
            const list = this.#room(KEY.size * entries.length);
            const id = this.#bytes(networkId);
            const out = this.#room(4);
            entries.forEach(([suite, key], index) => {
                const at = list + KEY.size * index;
                const bytes = this.#bytes(key);
                this.#view.setUint32(at + KEY.suite, SUITES[suite] ?? 0, true);
                this.#view.setUint32(at + KEY.key, bytes, true);
                this.#view.setUint32(at + KEY.len, key.length, true);
            });
            this.#check(this.#calls.touchstone_verifier_new(id, networkId.length, list, entries.length, out));
            return this.#view.getUint32(out, true);
        });
    }

    freeVerifier(verifier) {
        this.#calls.touchstone_verifier_free(verifier);
    }

    /**
     * Verifies the bytes of an update.
     * @returns {number} a handle for {@link price}, {@link describe}, {@link feed} and {@link freeUpdate}
     */
    verify(verifier, update) {
        return this.#scope(() => {
            const bytes = this.#bytes(update);
            const out = this.#room(4);
            this.#check(this.#calls.touchstone_update_verify(verifier, bytes, update.length, out));
            return this.#view.getUint32(out, true);
        });
    }

    freeUpdate(update) {
        this.#calls.touchstone_update_free(update);
    }

    /** What an update is about. */
    describe(update) {
        return this.#scope(() => {
            const out = this.#room(INFO.size);
            this.#check(this.#calls.touchstone_update_describe(update, out));
            const view = this.#view;
            return {
                networkId: this.#copy(out + INFO.networkId, 32),
                feedsRoot: this.#copy(out + INFO.feedsRoot, 32),
                observationsRoot: this.#copy(out + INFO.observationsRoot, 32),
                digest: this.#copy(out + INFO.digest, 32),
                round: view.getBigUint64(out + INFO.round, true),
                timestampMs: view.getBigUint64(out + INFO.timestamp, true),
                epoch: view.getUint32(out + INFO.epoch, true),
                feedCount: view.getUint16(out + INFO.feedCount, true),
                entries: view.getUint8(out + INFO.entries),
                suite: view.getUint8(out + INFO.suite),
            };
        });
    }

    /** The feed at a position of an update. */
    feed(update, index) {
        return this.#scope(() => {
            const out = this.#room(FEED.size);
            this.#check(this.#calls.touchstone_update_feed(update, index, out));
            return { name: this.#text(out + FEED.name), status: this.#view.getUint8(out + FEED.status) };
        });
    }

    /**
     * The price of a feed. A policy is `{ nowMs, maxAgeMs }` or `{ atMs, next }`, and what else it allows.
     * @param {{ nowMs?: bigint, maxAgeMs?: bigint, atMs?: bigint, next?: number, maxSkewMs?: bigint, maxTradeAgeMs?: bigint,
     *     newerThan?: bigint, maxGap?: bigint, minObservers?: number, allowedStatus?: number }} policy
     */
    price(update, feed, policy) {
        return this.#scope(() => {
            const name = new TextEncoder().encode(feed);
            const bytes = this.#bytes(name);
            const conditions = this.#policy(policy);
            const out = this.#room(PRICE.size);
            this.#check(this.#calls.touchstone_update_price(update, bytes, name.length, conditions, out));
            const view = this.#view;
            const exponent = view.getInt8(out + PRICE.exponent);
            const price = {
                feed: this.#text(out + PRICE.feed),
                mantissa: this.#i128(out + PRICE.price),
                low: this.#i128(out + PRICE.low),
                high: this.#i128(out + PRICE.high),
                exponent,
                round: view.getBigUint64(out + PRICE.round, true),
                timestampMs: view.getBigUint64(out + PRICE.timestamp, true),
                observedAtMs: view.getBigUint64(out + PRICE.observedAt, true),
                epoch: view.getUint32(out + PRICE.epoch, true),
                observers: view.getUint16(out + PRICE.observers, true),
                status: view.getUint8(out + PRICE.status),
            };
            const text = this.#room(DECIMAL_TEXT_MAX);
            this.#check(this.#calls.touchstone_decimal_text(out + PRICE.price, exponent, text, DECIMAL_TEXT_MAX));
            return { ...price, price: this.#text(text) };
        });
    }

    #policy(policy) {
        const at = this.#room(POLICY.size);
        const view = this.#view;
        const fresh = policy.nowMs !== undefined && policy.maxAgeMs !== undefined;
        const instant = policy.atMs !== undefined && policy.next !== undefined;
        view.setUint32(at + POLICY.sizeField, POLICY.size, true);
        // Neither, or both, is left for the module to refuse.
        view.setUint32(at + POLICY.when, fresh ? (instant ? 0 : FRESH) : instant ? AT : 0, true);
        view.setBigUint64(at + POLICY.time, (fresh ? policy.nowMs : policy.atMs) ?? 0n, true);
        view.setBigUint64(at + POLICY.maxAge, policy.maxAgeMs ?? 0n, true);
        view.setBigUint64(at + POLICY.maxSkew, policy.maxSkewMs ?? 2000n, true);
        view.setBigUint64(at + POLICY.maxTradeAge, policy.maxTradeAgeMs ?? MAX_U64, true);
        view.setBigUint64(at + POLICY.lastRound, policy.newerThan ?? 0n, true);
        view.setBigUint64(at + POLICY.maxGap, policy.maxGap ?? 1n, true);
        view.setUint32(at + POLICY.next, policy.next ?? 0, true);
        view.setUint16(at + POLICY.minObservers, policy.minObservers ?? 0, true);
        view.setUint8(at + POLICY.allowed, policy.allowedStatus ?? 0);
        view.setUint8(at + POLICY.hasLastRound, policy.newerThan === undefined ? 0 : 1);
        view.setUint32(at + POLICY.reserved, 0, true);
        return at;
    }

    /** Never kept: memory that grows gets another buffer. */
    get #view() {
        return new DataView(this.#calls.memory.buffer);
    }

    #scope(call) {
        try {
            return call();
        } finally {
            for (const [block, len] of this.#blocks.splice(0)) {
                this.#calls.touchstone_dealloc(block, len);
            }
        }
    }

    #room(len) {
        const block = this.#calls.touchstone_alloc(len);
        if (block === 0) {
            throw new RangeError(`no memory for ${len} bytes`);
        }
        this.#blocks.push([block, len]);
        return block;
    }

    #bytes(bytes) {
        const block = this.#room(bytes.length);
        new Uint8Array(this.#calls.memory.buffer, block, bytes.length).set(bytes);
        return block;
    }

    #copy(at, len) {
        return new Uint8Array(this.#calls.memory.buffer).slice(at, at + len);
    }

    #i128(at) {
        return (this.#view.getBigInt64(at + 8, true) << 64n) + this.#view.getBigUint64(at, true);
    }

    #text(at) {
        const memory = new Uint8Array(this.#calls.memory.buffer);
        return new TextDecoder().decode(memory.subarray(at, memory.indexOf(0, at)));
    }

    #check(code) {
        if (code !== OK) {
            throw new TouchstoneError(this.#text(this.#calls.touchstone_code_text(code)));
        }
    }
}
