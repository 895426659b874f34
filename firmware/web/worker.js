// SPDX-License-Identifier: Apache-2.0
/* The engine in a thread of its own, so that the page stays alive: {id, call, args} in, {id, value} or {id, error} out.
 */
import {Engine, FtervitError} from './engine.js';

let engine;
const calls = {
    create: async (wasm, options) => { engine = await Engine.create(wasm, options); return engine.kernelNames; },
    load: (file, options) => engine.load(new Uint8Array(file), options),
    start: (options) => { engine.start(options); return engine.info(); },
    classify: (photo, options) => engine.classify(photo, options),
    selftest: (options) => engine.selftest(options),
    fma: (a, b, c) => engine.fma(a, b, c),
};

globalThis.onmessage = async ({data: {id, call, args}}) => {
    try {
        globalThis.postMessage({id, value: await calls[call](...args)});
    } catch (e) {
        const known = e instanceof FtervitError,
              memory = e instanceof RangeError || e instanceof WebAssembly.RuntimeError;
        globalThis.postMessage({
            id,
            error: {
                code: known ? e.code :
                    memory  ? 'memory' :
                              'argument',
                message: known ? e.message :
                    memory     ? `The browser gave no more memory (${e.message}).` :
                                 String(e)
            }
        });
    }
};
