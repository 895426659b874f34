// SPDX-License-Identifier: Apache-2.0
/* Fully ternary vision transformers in a page: `const f = await Ftervit.create(); await f.load(url); await
 * f.classify(photo)`.
 *
 * The engine runs in a Worker; every method returns a promise. What it computes has the same bits as on every other
 * machine. */
import {FtervitError, chooseModule} from './engine.js';

const MAX_PIXELS = 1e8;
const inlined = globalThis.FTERVIT_FILES; /* path -> base64 of its gzip, in the page that is one file */

/** Bytes of a file of this folder, or of any address. @param {(share: number) => void} [onProgress] from 0 to 1 */
export async function bytesOf(url, base, onProgress = () => {}) {
    if (inlined?.[url]) {
        const packed = Uint8Array.from(atob(inlined[url]), (c) => c.charCodeAt(0));
        return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
    }
    let response;
    try {
        response = await fetch(new URL(url, base));
    } catch (e) {
        throw new FtervitError('network', `${url} could not be loaded (${e.message}).`);
    }
    if (!response.ok)
        throw new FtervitError('network', `${url} could not be loaded: ${response.status} ${response.statusText}.`);
    const total = +response.headers.get('content-length') || 0, parts = [];
    let n = 0;
    for (let reader = response.body.getReader(), part; !(part = await reader.read()).done; parts.push(part.value)) {
        n += part.value.length;
        if (total) onProgress(Math.min(1, n / total));
    }
    return new Blob(parts).arrayBuffer();
}

/** @param {Blob | ImageBitmapSource} source @returns {Promise<ImageBitmap>} as its EXIF says it is held */
export async function bitmapOf(source) {
    try {
        return await createImageBitmap(
            source, {imageOrientation: 'from-image', premultiplyAlpha: 'none', colorSpaceConversion: 'none'});
    } catch (e) {
        throw new FtervitError('picture', `${source.name ?? 'This'} is not a picture that this browser reads.`);
    }
}

/** Red, green, blue, opacity of every pixel. */
export function pixelsOf(bitmap) {
    const {width, height} = bitmap;
    if (width * height > MAX_PIXELS)
        throw new FtervitError(
            'picture',
            `A picture of ${width} x ${height} pixels is too large: up to ${MAX_PIXELS / 1e6} million are read.`);
    const canvas = Object.assign(document.createElement('canvas'), {width, height}),
          context = canvas.getContext('2d', {willReadFrequently: true});
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, width, height);
}

const FILES = {relaxed: 'ftervit-relaxed.wasm', simd128: 'ftervit.wasm', threads: 'ftervit-threads.wasm'};

/* Only such a page may share memory; one from a single file, or on a plain host, is none. */
const threadsOf = (module) =>
    module === 'relaxed' && globalThis.crossOriginIsolated && !inlined ? Math.min(2, navigator.hardwareConcurrency) : 1;

export class Ftervit {
    #worker;
    #waiting = new Map();
    #calls = 0;

    /**
     * @param {{base?: string | URL, module?: 'relaxed' | 'simd128', threads?: number}} [options]  the folder of these
     *     files; the module to load; threads, which need a page that is cross-origin isolated: default two there, else
     *     one
     * @throws {FtervitError} no-wasm, no-simd, network
     */
    static async create({base = document.baseURI, module = chooseModule(), threads = threadsOf(module)} = {}) {
        const self = new Ftervit();
        self.base = base;
        const url = inlined ? URL.createObjectURL(new Blob([globalThis.FTERVIT_WORKER], {type: 'text/javascript'})) :
                              new URL('worker.js', base);
        self.#worker = new Worker(
            url, {type: inlined ? 'classic' : 'module'}); /* from a disk no module may be loaded, not even a blob */
        self.#worker.onmessage = ({data: {id, value, error}}) => {
            const {resolve, reject} = self.#waiting.get(id);
            self.#waiting.delete(id);
            error ? reject(new FtervitError(error.code, error.message)) : resolve(value);
        };
        self.#worker.onerror = (e) => {
            for (const {reject} of self.#waiting.values())
                reject(new FtervitError('argument', e.message || 'the Worker does not start'));
            self.#waiting.clear();
        };
        self.module = module;
        const wasm = await bytesOf(FILES[threads > 1 ? 'threads' : module], base);
        const helper = threads > 1 ? new URL('thread.js', base).href : undefined;
        self.kernels = await self.#call('create', [wasm, {threads, helper}]);
        return self;
    }

    #call(call, args, transfer = []) {
        return new Promise((resolve, reject) => {
            this.#waiting.set(++this.#calls, {resolve, reject});
            this.#worker.postMessage({id: this.#calls, call, args}, transfer);
        });
    }

    /**
     * Reads a model: an address relative to the folder, a File, or its bytes. The one before stays if this one is
     * refused by its address.
     * @param {string | Blob | ArrayBuffer} source
     * @param {{attention?: 'f32' | 'int8', kernels?: string, onProgress?: (share: number) => void}} [options]
     * @returns {Promise<object>} facts: imageSize, classes, names, bytes, packing, zeros, codes, macs, kernels ...
     * @throws {FtervitError} not-gguf, too-large, unsupported, checksum, format, memory, network
     */
    async load(source, {onProgress, ...options} = {}) {
        if (source instanceof Blob && source.size > 2 ** 30)
            throw new FtervitError('too-large', `This file has ${source.size} bytes; a page takes ${2 ** 30}.`);
        const file = typeof source === 'string' ? await bytesOf(source, this.base, onProgress) :
            source instanceof Blob              ? await source.arrayBuffer() :
                                                  source;
        return this.#call('load', [file, options], typeof source === 'string' ? [file] : []);
    }

    /** Other options for the same model. @param {{attention?: 'f32' | 'int8', kernels?: string}} options */
    start(options) { return this.#call('start', [options]); }

    /**
     * @param {Blob | ImageBitmap | ImageData | HTMLCanvasElement | HTMLImageElement | HTMLVideoElement} image
     * @param {{k?: number, rollout?: boolean, crc?: boolean}} [options]
     * @returns {Promise<{answers: {index: number, name: string, probability: number}[], stages: {stage: string, block:
     *     number, ms: number, crc?: string}[],
     *           ms: number, preprocessMs: number, pixels: Uint8Array, size: number, channels: number, rollout?:
     * Float32Array, grid: number}>}
     */
    async classify(image, options) {
        const photo =
            image instanceof ImageData ? image : pixelsOf(image instanceof ImageBitmap ? image : await bitmapOf(image));
        return this.#call(
            'classify', [{data: photo.data, width: photo.width, height: photo.height}, options],
            image instanceof ImageData ? [] : [photo.data.buffer]);
    }

    /** Every stage of the model's golden picture: CRC-32, and how it compares with what PyTorch computed. */
    selftest(options) { return this.#call('selftest', [options]); }

    /** a * b + c by their bits, rounded once. */
    fma(a, b, c) { return this.#call('fma', [a, b, c]); }

    close() { this.#worker.terminate(); }
}

export {FtervitError, chooseModule};
