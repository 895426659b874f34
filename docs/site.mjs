// SPDX-License-Identifier: Apache-2.0
/* site.mjs [SITE [SHOTS]] : the built site as a visitor uses it, in one page of Chromium. Screenshots go to SHOTS.
 *
 * What is expected comes from the notebooks and the records, not from the site. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {launch, serve} from '../firmware/web/tests/browser.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const [folder = path.join(root, '_docs'), shots] = process.argv.slice(2);
if (!fs.existsSync(path.join(folder, 'index.html'))) throw new Error(`no site in ${folder}: make docs`);
const site = await serve({'/': folder}), browser = await launch();
const page = await browser.newPage({viewport: {width: 1280, height: 900}}), wrong = [];
page.setDefaultTimeout(60000);
page.on('console', (m) => { if (m.type() === 'error') wrong.push(`console: ${m.text()}`); });
page.on('pageerror', (e) => wrong.push(`error: ${e}`));
page.on('response', (r) => { if (r.status() >= 400) wrong.push(`${r.status()}: ${r.url()}`); });
page.on('request', (r) => {
    if (!/^(data:|blob:|file:|http:\/\/127\.0\.0\.1)/.test(r.url())) wrong.push(`foreign: ${r.url()}`);
});
page.on('requestfailed', (r) => {
    const why = r.failure()?.errorText; /* aborted: still under way when the test went on to the next page */
    if (why !== 'net::ERR_ABORTED') wrong.push(`failed: ${r.url()} ${why}`);
});

let done = 0;
async function check(what, f) {
    try {
        await f();
        assert.deepEqual(wrong, [], 'errors of the page');
        done++;
        console.log(`ok: ${what}`);
    } catch (e) {
        process.exitCode = 1;
        console.log(`FAILED: ${what}: ${e.stack ?? e}`);
    }
    wrong.length = 0;
}
const open = (name) => page.goto(`${site.address}/${name}.html`);
async function shot(name, options = {}) {
    if (!shots) return;
    fs.mkdirSync(shots, {recursive: true});
    await page.screenshot({path: path.join(shots, `${name}.png`), ...options});
}

/* ---- chapters ---- */

/** What the site has to show of a notebook: its title, and how many pictures its visible cells hold. */
function expected(file) {
    const {cells} = JSON.parse(fs.readFileSync(path.join(root, 'nbs', file), 'utf8'));
    const hidden = (c) => /^#\| *(hide\s*$|default_exp)/m.test(c.source.join(''));
    const outputs = cells.filter((c) => c.cell_type === 'code' && !hidden(c)).flatMap((c) => c.outputs);
    return {
        title: cells[0].source.join('').match(/^# (.+)$/m)[1].replace(/`/g, ''),
        pictures: outputs.filter(({data: d = {}}) => (d['image/png'] || d['image/jpeg']) && !d['text/html']).length
    };
}
/** How many pictures the article has, all of them loaded. */
async function pictures() {
    const {n, broken} = await page.$$eval('article img', async (all) => {
        await Promise.all(all.map((i) => i.decode().catch(() => {})));
        return {n: all.length, broken: all.filter((i) => !i.naturalWidth).map((i) => i.src)};
    });
    assert.deepEqual(broken, [], page.url());
    return n;
}
const chapters = fs.readdirSync(path.join(root, 'nbs')).filter((f) => /^\d.*\.ipynb$/.test(f)).sort();
await check(`${chapters.length} chapters: titles and pictures`, async () => {
    for (const file of chapters) {
        const {title, pictures: wanted} = expected(file);
        await open(file.replace('.ipynb', ''));
        const heading = (await page.textContent('article h1')).replace('#', '').replace(/’/g, "'").trim();
        assert.equal(heading, title, file);
        assert.equal(await pictures(), wanted, `${file}: pictures`);
    }
});
await check('front page and results: every picture links to its cell', async () => {
    for (const name of ['index', 'results']) {
        await open(name);
        const n = await pictures(), link = 'article figure figcaption a[href*="#figure-"]';
        assert.ok(n > 0);
        assert.equal((await page.$$(link)).length, n, `${name}: links of ${n} pictures`);
        await page.click(link);
        await page.waitForURL(/\/\d\w+\.html#figure-/);
        const cell = await page.textContent(`[id="${new URL(page.url()).hash.slice(1)}"]`);
        assert.match(cell, /save_figure\(/, page.url());
    }
});

/* ---- figures with exact values ---- */

/** Rows of a recorded table. */
function table(file) {
    const cells = (line) => [...line.matchAll(/("([^"]*)"|[^,]*)(,|$)/g)].map((m) => m[2] ?? m[1]);
    const [head, ...lines] = fs.readFileSync(path.join(root, 'data', file), 'utf8').trim().split('\n').map(cells);
    return lines.map((line) => Object.fromEntries(head.map((k, i) => [k, line[i]])));
}
async function choose(name, choice) {
    await page.selectOption(`#plot-${name} select`, choice);
    await page.waitForFunction(
        ([n, c]) => document.getElementById(`plot-${n}`).dataset.drawn === c, [name, choice]);
}
/** What pointing at the mark `index` of a trace shows. */
async function hover(name, trace, index) {
    const box = `#plot-${name}`;
    await page.locator(box).scrollIntoViewIfNeeded();
    const [x, y] = await page.$eval(`${box} .plot`, (plot, [trace, index]) => {
        const {xaxis, yaxis} = plot._fullLayout, t = plot._fullData.find((d) => d.name === trace),
              {left, top} = plot.getBoundingClientRect();
        return [left + xaxis._offset + xaxis.d2p(t.x[index]), top + yaxis._offset + yaxis.d2p(t.y[index])];
    }, [trace, index]);
    await page.mouse.move(x - 30, y);
    await page.mouse.move(x, y, {steps: 3});
    await page.waitForSelector(`${box} .hovertext`);
    return page.$eval(
        `${box} .hovertext`, (e) => [...e.querySelectorAll('.line')].map((s) => s.textContent).join('\n'));
}
await check('every choice of every figure is drawn', async () => {
    await open('numbers');
    const names = await page.$$eval('.numbers', (all) => all.map((e) => e.id.replace('plot-', '')));
    assert.deepEqual(names, ['sizes', 'phases', 'restarts', 'methods', 'bytes']);
    for (const name of names)
        for (const choice of await page.$$eval(`#plot-${name} option`, (all) => all.map((o) => o.textContent))) {
            await choose(name, choice);
            assert.ok((await page.$$(`#plot-${name} .point`)).length > 0, `${name}, ${choice}: no marks`);
        }
});
await check('pointing at a mark shows what was recorded', async () => {
    const lean = table('results/cifar10jpeg-cpu/methods.csv').find((r) => r.method === 'ftervit-lean');
    await choose('methods', 'CIFAR-10 (JPEG)');
    const said = await hover('methods', 'fully ternary, FTerViT', 0);
    for (const text of [lean.label, `top-1: ${lean.top1_percent} %`, `gap to the teacher: ${lean.gap_pp} pp`,
                        `KL: ${lean.kl} nats`])
        assert.ok(said.includes(text), `${text} is not in: ${said}`);
    await shot('hover');
    const encoder = table('results/digits/bytes.csv').find(
        (r) => r.model === 'DeiT-Tiny' && r.method === 'fp32' && r.component === 'encoder');
    await choose('bytes', 'DeiT-Tiny');
    assert.ok((await hover('bytes', 'encoder', 0)).includes(`bytes: ${Number(encoder.bytes).toLocaleString('en')}`));
});
await check('a click in the legend hides a curve', async () => {
    await choose('restarts', 'digits');
    const curves = '#plot-restarts .scatterlayer .trace', before = (await page.$$(curves)).length;
    await page.locator('#plot-restarts .legendtoggle').first().click();
    await page.waitForFunction(([c, n]) => document.querySelectorAll(c).length === n - 1, [curves, before]);
});

/* ---- search, demonstration, screens ---- */

await check('search finds a chapter', async () => {
    await open('index');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('rollout');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#search-results li a[href^="09_rollout.html"]');
});
if (fs.existsSync(path.join(folder, 'demo')))
    await check('the demonstration answers, from a server and from the disk', async () => {
        const frame = page.frameLocator('iframe.demo'), answer = frame.locator('#answers li').first();
        await open('index');
        await page.click('article a[href="try.html"]');
        await answer.waitFor();
        assert.match(await answer.textContent(), /church/);
        await frame.locator('#model').selectOption('digits');
        await frame.locator('#examples button', {hasText: '7'}).click();
        await frame.locator('#status', {hasText: /^7: 7, / }).waitFor();
        await page.goto(pathToFileURL(path.join(folder, 'try.html')).href);
        await answer.waitFor();
        assert.match(await answer.textContent(), /church/);
    });
else
    console.log('skipped: the demonstration, which this site was built without');
await check('a narrow screen, dark colours: nothing is wider than the screen', async () => {
    await page.setViewportSize({width: 360, height: 740});
    await page.emulateMedia({colorScheme: 'dark'});
    for (const name of ['index', 'results', 'numbers', 'checklist', 'try', '05c_runs']) {
        await open(name);
        await page.waitForLoadState('networkidle');
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name);
        await shot(`narrow-${name}`);
    }
});
for (const colorScheme of shots ? ['light', 'dark'] : [])
    for (const name of ['index', 'numbers', 'checklist', 'try', '05c_runs']) {
        await page.setViewportSize({width: 1280, height: 900});
        await page.emulateMedia({colorScheme});
        await open(name);
        await page.waitForLoadState('networkidle');
        await shot(`${colorScheme}-${name}`);
        await shot(`${colorScheme}-${name}-all`, {fullPage: true});
    }
console.log(`${done} checks passed in Chromium ${browser.version()}`);
await browser.close();
await site.close();
