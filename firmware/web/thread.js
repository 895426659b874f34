// SPDX-License-Identifier: Apache-2.0
/* A helper of the engine: another instance of its module with the same memory, which takes its share of every job. */
import {importsOf} from './engine.js';

globalThis.onmessage = async ({data: {module, memory, stack, worker}}) => {
    const nothing = () => 0, imports = importsOf(module, nothing, nothing, memory);
    const {exports} = await WebAssembly.instantiate(module, imports);
    exports.__stack_pointer.value = stack;
    globalThis.postMessage('ready');
    exports.ftv_web_help(worker);
};
