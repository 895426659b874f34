// SPDX-License-Identifier: Apache-2.0
/* The engine as a JavaScript object: one WebAssembly module, one model. Synchronous; in a page it runs in a Worker
 * (ftervit.js), and where memory can be shared its helpers in others (thread.js). */

export const STAGES = ['embed', 'qkv', 'attention', 'proj', 'mlp', 'head'];
const CRC = 1, GOLDEN = 2, ROLLOUT = 4, GOLDENS = [null, 'identical', 'within tolerance', 'wrong'];
const STATUS = ['ok', 'argument', 'format', 'unsupported', 'checksum', 'memory'];
const MAX_MODEL_BYTES = 1 << 30, MAX_SIDE = 16384, STACK_BYTES = 1 << 18;
const SHARED_MEMORY = {initial: 256, maximum: 1 << 14, shared: true}; /* pages, as the module was linked */

/**
 * What went wrong, by `code`: no-wasm, no-simd, not-gguf, too-large, unsupported, checksum, format, memory, argument,
 * network, picture.
 */
export class FtervitError extends Error {
    constructor(code, message) {
        super(message);
        this.name = 'FtervitError';
        this.code = code;
    }
}

/* Two modules of a few bytes: (func (drop (v128.const 0))), and one that drops f32x4.relaxed_madd of three. */
const v128 = [0xfd, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
function probe(body) {
    const code = [0, ...body, 0x1a, 0x0b], section = [1, code.length, ...code];
    return WebAssembly.validate(new Uint8Array(
        [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, section.length, ...section]));
}

/**
 * The module that this machine can load.
 * @returns {'relaxed' | 'simd128'}
 * @throws {FtervitError} no-wasm, no-simd
 */
export function chooseModule() {
    if (typeof WebAssembly !== 'object')
        throw new FtervitError('no-wasm', 'This browser has no WebAssembly. Any browser of the last years has it.');
    if (!probe(v128))
        throw new FtervitError(
            'no-simd', 'This browser has no WebAssembly SIMD: Chrome 91, Firefox 89, Safari 16.4 or newer have it.');
    return probe([...v128, ...v128, ...v128, 0xfd, 0x85, 0x02]) ? 'relaxed' : 'simd128';
}

/** What an instance asks for: a clock, memory if it is to be shared, and libc's files and environment. */
export function importsOf(module, system, now, memory) {
    const imports = {env: {now, memory}};
    for (const {module: from, name} of WebAssembly.Module.imports(module))
        if (from !== 'env') (imports[from] ??= {})[name] = (...args) => system(name, args);
    return imports;
}

/**
 * @typedef {{stage: string, block: number, ms: number, crc?: string, golden?: string, difference?: number}}
 * StageRecord
 */
/** @typedef {{index: number, name: string, probability: number}} Answer */

export class Engine {
    /**
     * @param {BufferSource | WebAssembly.Module} wasm
     * @param {{now?: () => number, threads?: number, helper?: string | URL}} [options]  milliseconds; threads, more
     *     than one for the module with shared memory; the address of thread.js
     */
    static async create(wasm, {now = () => performance.now(), threads = 1, helper} = {}) {
        const module = wasm instanceof WebAssembly.Module ? wasm : await WebAssembly.compile(wasm);
        const shared = WebAssembly.Module.imports(module).some(({kind}) => kind === 'memory');
        if (threads > 1 && !shared) throw new FtervitError('argument', `${threads} threads need ftervit-threads.wasm`);
        const memory = shared ? new WebAssembly.Memory(SHARED_MEMORY) : undefined;
        const imports = importsOf(module, (...call) => engine.#system(...call), now, memory);
        const {exports} = await WebAssembly.instantiate(module, imports), engine = new Engine(exports, memory);
        engine.#c._initialize?.();
        for (let worker = 1; worker < threads; worker++) await engine.#help(module, helper, worker);
        if (shared) exports.ftv_web_helpers(threads - 1);
        engine.threads = threads;
        return engine;
    }

    #c;
    #memory;
    #file = 0;
    /** @private */
    constructor(exports, memory = exports.memory) {
        this.#c = exports;
        this.#memory = memory;
    }

    /* A Worker with the same memory and a stack of its own, waiting for jobs. */
    async #help(module, url, worker) {
        const thread = new Worker(url, {type: 'module'}), stack = this.#alloc(STACK_BYTES) + STACK_BYTES;
        await new Promise((ready, fail) => {
            thread.onmessage = ready;
            thread.onerror = (e) => fail(new FtervitError('argument', e.message || `${url} does not start`));
            thread.postMessage({module, memory: this.#memory, stack, worker});
        });
    }

    #system(name, args) {
        if (name === 'environ_sizes_get') {
            const view = new DataView(this.#memory.buffer);
            view.setUint32(args[0], 0, true), view.setUint32(args[1], 0, true);
            return 0;
        }
        if (name === 'environ_get') return 0;
        if (name === 'proc_exit') throw new FtervitError('argument', `the engine stopped with ${args[0]}`);
        return 8; /* EBADF: no files */
    }

    /* views are made anew each time: the memory moves when it grows */
    #bytes(at, n) { return new Uint8Array(this.#memory.buffer, at, n); }
    #floats(at, n) { return new Float32Array(this.#memory.buffer, at, n); }
    #text(at) { /* of a copy: shared memory is not decoded */
        return at ? new TextDecoder().decode(this.#bytes(at, this.#c.ftv_web_length()).slice()) : '';
    }
    #alloc(n) {
        const at = this.#c.ftv_web_alloc(n);
        if (!at) throw new FtervitError('memory', `no room for ${n} bytes`);
        return at;
    }
    #check(status, what) {
        const c = this.#c;
        if (status)
            throw new FtervitError(
                STATUS[status] ?? 'argument', `${what}: ${this.#text(c.ftv_web_status_text(status))}`);
    }

    /** Names of the kernel sets of this module that are right on this processor, the fastest first. */
    get kernelNames() {
        const names = [];
        for (let at; (at = this.#c.ftv_web_kernels_text(names.length)); ) names.push(this.#text(at));
        return names;
    }

    /**
     * Reads a model.
     * @param {Uint8Array} file  a GGUF file
     * @param {{attention?: 'f32' | 'int8', kernels?: string}} [options]
     * @throws {FtervitError} not-gguf, too-large, unsupported, checksum, format, memory
     */
    load(file, options = {}) {
        if (file.length < 4 || String.fromCharCode(...file.subarray(0, 4)) !== 'GGUF')
            throw new FtervitError('not-gguf', 'This is not a GGUF file: it does not begin with the letters GGUF.');
        if (file.length > MAX_MODEL_BYTES)
            throw new FtervitError('too-large', `This file has ${file.length} bytes; a page takes ${MAX_MODEL_BYTES}.`);
        const c = this.#c, at = this.#alloc(file.length);
        this.#bytes(at, file.length).set(file);
        const status = c.ftv_web_open(at, file.length), why = status ? this.#text(c.ftv_web_error()) : '';
        c.ftv_web_free(this.#file);
        this.#file = at;
        if (status) throw new FtervitError(STATUS[status] ?? 'format', `The engine refuses this model: ${why}.`);
        this.bytes = file.length;
        this.start(options);
        return this.info();
    }

    /** The model's session with other options. */
    start({attention = 'f32', kernels = ''} = {}) {
        const name = new TextEncoder().encode(kernels + '\0'), at = kernels ? this.#alloc(name.length) : 0;
        if (at) this.#bytes(at, name.length).set(name);
        const status = this.#c.ftv_web_start(attention === 'int8' ? 1 : 0, at);
        this.attention = attention;
        if (status === 5) throw new FtervitError('too-large', 'The model needs more memory than the browser gives.');
        if (status) throw new FtervitError(STATUS[status] ?? 'argument', this.#text(this.#c.ftv_web_error()));
        if (at) this.#c.ftv_web_free(at);
    }

    info() {
        const c = this.#c, names = [
            'imageSize', 'channels', 'patchSize', 'embedDim', 'depth', 'heads', 'mlpDim', 'classes', 'prefixTokens',
            'tokens'
        ];
        const facts = Object.fromEntries(names.map((name, i) => [name, c.ftv_web_fact(i)])), zeros = c.ftv_web_zeros();
        return {
            ...facts,
            bytes: this.bytes,
            packing: c.ftv_web_fact(10) ? 'base3' : '2bit',
            resizeSize: c.ftv_web_fact(11),
            crop: c.ftv_web_fact(12) ? 'squash' : 'center',
            names: this.classNames(),
            zeros,
            codes: c.ftv_web_codes(),
            macs: c.ftv_web_macs(),
            attention: this.attention,
            kernels: this.#text(c.ftv_web_kernels()),
            threads: this.threads
        };
    }

    classNames() {
        return Array.from(
            {length: this.#shape().classes}, (_, i) => this.#text(this.#c.ftv_web_class_name(i)) || `class ${i}`);
    }

    /**
     * @param {{data: Uint8Array | Uint8ClampedArray, width: number, height: number}} photo  red, green, blue, opacity
     * @param {{k?: number, rollout?: boolean, crc?: boolean}} [options]
     * @returns {{answers: Answer[], stages: StageRecord[], ms: number, preprocessMs: number, pixels: Uint8Array,
     *     rollout?: Float32Array, grid: number}}
     */
    classify(photo, options = {}) {
        const {width, height} = photo, n = width * height * 4;
        if (!(width > 0 && height > 0) || width > MAX_SIDE || height > MAX_SIDE || photo.data.length !== n)
            throw new FtervitError(
                'picture',
                `A picture of ${width} x ${height} pixels: from 1 x 1 to ${MAX_SIDE} x ${MAX_SIDE} can be read.`);
        const at = this.#alloc(n), began = performance.now();
        this.#bytes(at, n).set(photo.data);
        const status = this.#c.ftv_web_photo(at, width, height), preprocessMs = performance.now() - began;
        this.#c.ftv_web_free(at);
        if (status === 5)
            throw new FtervitError(
                'picture', `A picture of ${width} x ${height} pixels is too narrow or too large for this model.`);
        this.#check(status, 'this picture');
        return {...this.#run((options.rollout ? ROLLOUT : 0) | (options.crc ? CRC : 0), options.k ?? 5), preprocessMs};
    }

    /** The model's own golden picture: every stage's CRC-32, and what PyTorch computed where the file says it. */
    selftest(options = {}) {
        this.start(options);
        this.#c.ftv_web_golden_picture();
        const {stages} = this.#run(CRC | GOLDEN, 1);
        return {kernels: this.#text(this.#c.ftv_web_kernels()), attention: this.attention, stages};
    }

    /** a * b + c by their bits, rounded once. */
    fma(a, b, c) { return this.#c.ftv_web_fma(a, b, c) >>> 0; }

    #run(flags, k) {
        const c = this.#c;
        this.#check(c.ftv_web_run(flags), 'forward pass');
        const stages = this.#records(flags), ms = stages.reduce((sum, s) => sum + s.ms, 0),
              {imageSize, channels, patchSize, classes} = this.#shape();
        const count = Math.min(k, classes, 16), top = c.ftv_web_top(count), answers = [], grid = imageSize / patchSize;
        if (!top) throw new FtervitError('picture', 'The network gives no number for this picture (NaN).');
        const best = new DataView(this.#memory.buffer, top, 8 * count);
        for (let i = 0; i < count; i++)
            answers.push({index: best.getInt32(8 * i, true), probability: best.getFloat32(8 * i + 4, true)});
        for (const a of answers) a.name = this.#text(c.ftv_web_class_name(a.index)) || `class ${a.index}`;
        return {
            answers,
            stages,
            ms,
            grid,
            channels,
            size: imageSize,
            attention: this.attention,
            kernels: this.#text(c.ftv_web_kernels()),
            threads: this.threads,
            pixels: this.#bytes(c.ftv_web_pixels(), imageSize * imageSize * channels).slice(),
            ...(flags & ROLLOUT ? {rollout: this.#floats(c.ftv_web_rollout(), grid * grid).slice()} : {})
        };
    }

    #shape() {
        const c = this.#c;
        return {
            imageSize: c.ftv_web_fact(0),
            channels: c.ftv_web_fact(1),
            patchSize: c.ftv_web_fact(2),
            classes: c.ftv_web_fact(7)
        };
    }

    #records(flags) {
        const n = this.#c.ftv_web_count(),
              view = new DataView(this.#memory.buffer, this.#c.ftv_web_records(), 28 * n), stages = [];
        for (let at = 0; at < 28 * n; at += 28) {
            const r = {
                stage: STAGES[view.getInt32(at, true)],
                block: view.getInt32(at + 4, true),
                ms: view.getFloat32(at + 8, true)
            };
            if (flags & CRC) r.crc = view.getUint32(at + 12, true).toString(16).padStart(8, '0');
            const golden = view.getInt32(at + 16, true);
            if (golden)
                r.golden = GOLDENS[golden],
                r.difference = view.getFloat32(at + 20, true) / view.getFloat32(at + 24, true);
            stages.push(r);
        }
        return stages;
    }
}
