// SPDX-License-Identifier: Apache-2.0
/* bench.mjs MODULES ORT OUT.json CASE=FOLDER ... : forward passes in Chromium beside onnxruntime-web, one thread,
 * interleaved.
 *
 * FOLDER holds model.gguf, model.onnx, model-int8.onnx (ftervit.bench.prepare); MODULES the two .wasm files, ORT the
 * folder `dist` of the npm package. What counts is the processor time of the page's process around `RUNS` passes;
 * rounds take turns, and the medians of rounds are compared. `first` is the time from nothing to the first answer,
 * files from this machine; bytes are what is loaded. */
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import {fileURLToPath} from 'node:url';
import {launch, serve} from './browser.mjs';

const [modules, ort, out, ...cases] = process.argv.slice(2), ROUNDS = +(process.env.ROUNDS ?? 9),
                          RUNS = +(process.env.RUNS ?? 4);
const here = path.dirname(fileURLToPath(import.meta.url)), median = (x) => x.toSorted((a, b) => a - b)[x.length >> 1];
const size = (...files) => ({
    bytes: files.reduce((n, f) => n + fs.statSync(f).size, 0),
    gzip: files.reduce((n, f) => n + zlib.gzipSync(fs.readFileSync(f), {level: 9}).length, 0)
});
const folders = Object.fromEntries(cases.map((c) => c.split('=')));

/* runs in the page: makes `run(name)` */
async function setUp({name, kind, file, kernels, attention}) {
    const get = async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer()), began = performance.now();
    globalThis.contestants ??= {};
    const side = 224, pixels = new Uint8Array(side * side * 4), floats = new Float32Array(3 * side * side);
    for (let i = 0; i < pixels.length; i++) pixels[i] = i % 4 === 3 ? 255 : (Math.imul(i, 2654435761) >>> 13) & 255;
    for (let i = 0; i < floats.length; i++)
        floats[i] = (pixels[(i % (side * side)) * 4 + Math.floor(i / side / side)] - 127) / 60;
    let run;
    if (kind === 'engine') {
        const {Engine} = await import('/web/engine.js'),
              engine = await Engine.create(
                  await get(`/modules/${kernels === 'relaxed' ? 'ftervit-relaxed' : 'ftervit'}.wasm`));
        engine.load(await get(file), {attention, kernels});
        run = async () => engine.classify({data: pixels, width: side, height: side})
                              .answers[0]
                              .index; /* its preparation included, unlike the other's */
    } else {
        const ort = globalThis.ort ??= await import('/ort/ort.wasm.min.mjs');
        ort.env.wasm.numThreads = 1, ort.env.wasm.wasmPaths = '/ort/';
        const session = await ort.InferenceSession.create(file, {executionProviders: ['wasm']});
        run = async () =>
            (await session.run({x: new ort.Tensor('float32', floats, [1, 3, side, side])}))[session.outputNames[0]]
                .data[0];
    }
    await run();
    contestants[name] = run;
    return performance.now() - began;
}

const site = await serve({
    '/': here,
    '/web/': path.dirname(here),
    '/modules/': modules,
    '/ort/': ort,
    ...Object.fromEntries(Object.entries(folders).map(([n, f]) => [`/models/${n}/`, f]))
});
const browser = await launch(),
      ours =
          ['engine.js', 'worker.js', 'ftervit.js'].map((f) => path.join(path.dirname(here), f)).filter(fs.existsSync),
      results = [];
try {
    for (const [name, folder] of Object.entries(folders)) {
        const page = await browser.newPage(), cdp = await page.context().newCDPSession(page);
        await page.goto(`${site.address}/empty.html`);
        await cdp.send('Performance.enable');
        const cpu = async () =>
            (await cdp.send('Performance.getMetrics')).metrics.find((m) => m.name === 'ProcessTime').value * 1000;
        const engine = (kernels, attention) =>
            ({kind: 'engine', kernels, attention, file: `/models/${name}/model.gguf`});
        const contestants = {
            'engine relaxed': engine('relaxed', 'f32'),
            'engine relaxed, int8 attention': engine('relaxed', 'int8'),
            'engine simd128': engine('simd128', 'f32'),
            'engine simd128, int8 attention': engine('simd128', 'int8'),
            'onnxruntime-web FP32': {kind: 'ort', file: `/models/${name}/model.onnx`},
            'onnxruntime-web int8': {kind: 'ort', file: `/models/${name}/model-int8.onnx`}
        };
        const first = {}, times = {}, walls = {};
        for (const [n, c] of Object.entries(contestants))
            first[n] = await page.evaluate(setUp, {name: n, ...c}), times[n] = [], walls[n] = [];
        for (let round = -1; round < ROUNDS; round++)
            for (const n of Object.keys(contestants)) {
                const before = await cpu();
                const wall = await page.evaluate(async ([n, runs]) => {
                    const began = performance.now();
                    for (let i = 0; i < runs; i++) await contestants[n]();
                    return performance.now() - began;
                }, [n, RUNS]);
                if (round >= 0) times[n].push((await cpu() - before) / RUNS), walls[n].push(wall / RUNS);
            }
        for (const [n, c] of Object.entries(contestants)) {
            const files = c.kind === 'engine' ?
                [...ours, path.join(modules, c.kernels === 'relaxed' ? 'ftervit-relaxed.wasm' : 'ftervit.wasm')] :
                ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'].map(
                    (f) => path.join(ort, f));
            results.push({
                case: name,
                contestant: n,
                cpu_ms: median(times[n]),
                wall_ms: median(walls[n]),
                rounds: times[n],
                first_ms: first[n],
                code: size(...files),
                model: size(path.join(folder, path.basename(c.file)))
            });
            console.log(
                name.padEnd(8), n.padEnd(32),
                `${median(times[n]).toFixed(1)} ms of the processor, ${
                    median(walls[n]).toFixed(1)} on the clock, first answer ${first[n].toFixed(0)}`);
        }
        await page.close();
    }
} finally {
    await browser.close();
    await site.close();
}
fs.writeFileSync(
    out,
    JSON.stringify(
        {
            browser: browser.version(),
            onnxruntime_web: JSON.parse(fs.readFileSync(path.join(ort, '..', 'package.json'))).version,
            rounds: ROUNDS,
            runs: RUNS,
            results
        },
        null, 1));
