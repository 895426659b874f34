// SPDX-License-Identifier: Apache-2.0
/* bits.mjs MODULES SELFTEST OUT.json MODEL.gguf ... : in Chromium the bits of this machine, after every stage.
 *
 * All modules, the one with shared memory on two threads, every kernel set that they have, both kinds of attention; and
 * tests/test_kernels.c, compiled to WebAssembly. */
import {execFileSync} from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {ISOLATED, launch, serve} from './browser.mjs';

const [modules, selftest, out, ...models] = process.argv.slice(2), here = path.dirname(fileURLToPath(import.meta.url));
if (!models.length) throw new Error('usage: bits.mjs MODULES SELFTEST OUT.json MODEL.gguf ...');

function here_bits(model, attention) {
    let text;
    try {
        text = execFileSync(selftest, [model, '--attention', attention]).toString();
    } catch (e) {
        if (e.status !== 1) throw e; /* 1: golden tensors differ, as they do with int8 attention */
        text = e.stdout.toString();
    }
    return [...text.matchAll(/^(\w+) +(\d+) ([0-9a-f]{8})$/gm)].map(
        ([, stage, block, crc]) => `${stage} ${block} ${crc}`);
}

/* The kernels' own test needs of WASI only a place to print. */
async function kernelsTest(url) {
    const module = await WebAssembly.compile(await (await fetch(url)).arrayBuffer()), imports = {};
    let text = '', memory;
    for (const {module: from, name} of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => 0;
    imports.wasi_snapshot_preview1.fd_write = (file, vectors, n, written) => {
        const view = new DataView(memory.buffer);
        let all = 0;
        for (let i = 0; i < n; i++) {
            const at = view.getUint32(vectors + 8 * i, true), bytes = view.getUint32(vectors + 8 * i + 4, true);
            text += new TextDecoder().decode(new Uint8Array(memory.buffer, at, bytes));
            all += bytes;
        }
        view.setUint32(written, all, true);
        return 0;
    };
    let code = 0;
    imports.wasi_snapshot_preview1.proc_exit = (c) => { code = c; throw new Error('exit'); };
    const {exports} = await WebAssembly.instantiate(module, imports);
    memory = exports.memory;
    try {
        exports._start();
    } catch (e) {
        if (e.message !== 'exit') throw e;
    }
    return {code, text};
}

async function inPage({module, threads, model}) {
    const {Ftervit} = await import('/modules/ftervit.js'), runs = [];
    const f = await Ftervit.create({base: new URL('/modules/', document.baseURI), module, threads});
    await f.load(model);
    for (const attention of ['f32', 'int8'])
        for (const kernels of threads > 1 ? f.kernels.slice(0, 1) : f.kernels) {
            const {stages, kernels: used} = await f.selftest({kernels, attention});
            runs.push({
                attention,
                kernels: used,
                stages: stages.map((s) => `${s.stage} ${s.block} ${s.crc}`),
                golden: stages.filter((s) => s.golden).map((s) => s.golden)
            });
        }
    const fma = (await f.fma(0x1a000001, 0x19fffffe, 0x00300001)).toString(16);
    f.close();
    return {runs, fma};
}

/* How each file is loaded, and the kernel sets that have to run; what threads share does not depend on the set. */
const MODULES = {
    'ftervit-relaxed': {module: 'relaxed', threads: 1, needed: ['relaxed', 'simd128', 'table', 'ref']},
    ftervit: {module: 'simd128', threads: 1, needed: ['simd128', 'table', 'ref']},
    'ftervit-threads': {module: 'relaxed', threads: 2, needed: ['relaxed']}
};

const site = await serve({
    '/': here,
    '/modules/': modules,
    ...Object.fromEntries(models.map((m, i) => [`/model/${i}/`, path.dirname(m)]))
}, ISOLATED);
const browser = await launch(), rows = [], fail = [];
try {
    const page = await browser.newPage();
    await page.goto(`${site.address}/empty.html`);
    const {code, text} = await page.evaluate(kernelsTest, '/modules/test_kernels.wasm');
    console.log(text.trim());
    if (code !== 0 || !/ok: kernels, \d+ checks, 0 failed/.test(text) || /skipped/.test(text))
        fail.push(`the kernels' test ended with ${code}: ${text}`);
    for (const [i, model] of models.entries()) {
        const want = {f32: here_bits(model, 'f32'), int8: here_bits(model, 'int8')};
        for (const [module, how] of Object.entries(MODULES)) {
            const {runs, fma} = await page.evaluate(inPage, {...how, model: `/model/${i}/${path.basename(model)}`});
            if (fma !== '300001') fail.push(`${module}: fma of 1a000001, 19fffffe, 00300001 gives ${fma}, not 300001`);
            const names = new Set(runs.map((r) => r.kernels));
            for (const needed of how.needed)
                if (!names.has(needed)) fail.push(`${module}: kernels ${needed} did not run`);
            for (const {attention, kernels, stages, golden} of runs) {
                const first = want[attention].findIndex((line, k) => line !== stages[k]),
                      different = want[attention].filter((line, k) => line !== stages[k]).length;
                if (stages.length !== want[attention].length || !stages.length)
                    fail.push(`${model} ${module} ${kernels} ${attention}: ${stages.length} stages, here ${
                        want[attention].length}`);
                if (first >= 0)
                    fail.push(`${model} ${module} ${kernels} ${attention}: stage ${first} is ${stages[first]}, here ${
                        want[attention][first]}`);
                if (attention === 'f32' && golden.includes('wrong'))
                    fail.push(`${model} ${module} ${kernels}: golden tensors differ`);
                rows.push({model, module, kernels, attention, stages: stages.length, different});
            }
        }
    }
} finally {
    await browser.close();
    await site.close();
}
fs.writeFileSync(out, JSON.stringify(rows));
console.log(`${rows.length} runs in Chromium ${browser.version()}: ${rows.reduce((n, r) => n + r.stages, 0)} CRCs, ${
    rows.reduce((n, r) => n + r.different, 0)} differ`);
for (const line of fail) console.log(`FAILED: ${line}`);
process.exitCode = fail.length ? 1 : 0;
