// SPDX-License-Identifier: Apache-2.0
/* site.mjs [SITE [SHOTS]] : the built site as a visitor uses it, in one page of Chromium. Screenshots go to SHOTS.
 *
 * What is expected comes from the notebooks and the records, not from the site. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {launch, serve} from '../firmware/web/tests/browser.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const [folder = path.join(root, '_docs'), shots] = process.argv.slice(2);
const site = await serve({'/': folder}), browser = await launch(['--disable-lcd-text']);
const page = await browser.newPage({viewport: {width: 1280, height: 900}}), wrong = [];
page.setDefaultTimeout(60000);
page.on('console', (m) => { if (m.type() === 'error') wrong.push(`console: ${m.text()}`); });
page.on('pageerror', (e) => wrong.push(`error: ${e}`));
page.on('requestfailed', (r) => wrong.push(`failed: ${r.url()} ${r.failure()?.errorText}`));
page.on('response', (r) => { if (r.status() >= 400) wrong.push(`${r.status()}: ${r.url()}`); });
page.on('request', (r) => { if (!/^(data:|blob:|http:\/\/127\.0\.0\.1)/.test(r.url())) wrong.push(`foreign: ${r.url()}`); });

let done = 0;
async function check(what, f) {
    try {
        await f();
        assert.deepEqual(wrong.splice(0), [], 'while the page was open');
        done++;
        console.log(`ok: ${what}`);
    } catch (e) {
        process.exitCode = 1;
        wrong.length = 0;
        console.log(`FAILED: ${what}: ${e.stack ?? e}`);
    }
}
const open = (name) => page.goto(`${site.address}/${name}`, {waitUntil: 'load'});
const shot = async (name, options = {}) => {
    if (!shots) return;
    fs.mkdirSync(shots, {recursive: true});
    await page.screenshot({path: path.join(shots, `${name}.png`), ...options});
};
/* Rows of a recorded table without quoted commas in the columns asked for. */
function table(file) {
    const cells = (line) => [...line.matchAll(/("([^"]*)"|[^,]*)(,|$)/g)].map((m) => m[2] ?? m[1]),
          [head, ...lines] = fs.readFileSync(path.join(root, 'data', file), 'utf8').trim().split('\n');
    return lines.map((line) => Object.fromEntries(cells(head).map((k, i) => [k, cells(line)[i]])));
}

/* ---- chapters ---- */

/** What the site has to show of a notebook: its title, and how many pictures its visible cells hold. */
function expected(file) {
    const {cells} = JSON.parse(fs.readFileSync(path.join(root, 'nbs', file), 'utf8'));
    const shown = cells.filter((c) => c.cell_type === 'code' && !/^#\| *(hide\s*$|default_exp)/m.test(c.source.join('')));
    const outputs = shown.flatMap((c) => c.outputs).map((o) => o.data ?? {});
    return {
        title: cells[0].source.join('').match(/^# (.+)$/m)[1],
        pictures: outputs.filter((d) => (d['image/png'] || d['image/jpeg']) && !d['text/html']).length
    };
}
/** Sources of the article's pictures that have not loaded, and the number of all. */
const pictures = () => page.$$eval('article img', async (all) => {
    await Promise.all(all.map((i) => { i.loading = 'eager'; return i.decode().catch(() => {}); }));
    return {n: all.length, broken: all.filter((i) => !i.naturalWidth).map((i) => i.src)};
});
const chapters = fs.readdirSync(path.join(root, 'nbs')).filter((f) => /^\d.*\.ipynb$/.test(f)).sort();
await check(`${chapters.length} chapters: titles and pictures`, async () => {
    for (const file of chapters) {
        const {title, pictures: wanted} = expected(file);
        await open(file.replace('.ipynb', '.html'));
        const heading = await page.textContent('article h1');
        assert.equal(heading.replace('#', '').trim(), title.replace(/`/g, ''), file);
        const {n, broken} = await pictures();
        assert.deepEqual(broken, [], file);
        assert.equal(n, wanted, `${file}: pictures`);
    }
});
await check('front page and results: every picture links to its cell', async () => {
    for (const name of ['index.html', 'results.html']) {
        await open(name);
        const {n, broken} = await pictures();
        assert.deepEqual(broken, []);
        const cells = await page.$$eval('article figure', (all) => all.map((f) => f.querySelector('figcaption a[href*="#figure-"]')?.href));
        assert.ok(n > 0 && cells.length === n && cells.every(Boolean), `${name}: ${n} pictures, cells ${cells}`);
        await page.click('article figure figcaption a[href*="#figure-"]');
        await page.waitForURL(/\/\d\w+\.html#figure-/);
        assert.ok(await page.$(`[id="${new URL(page.url()).hash.slice(1)}"] img`), `${page.url()}: no picture there`);
    }
});

/* ---- figures with exact values ---- */

const drawn = (name, choice) => page.waitForFunction(
    ([n, c]) => document.querySelector(`#plot-${n}`).dataset.drawn === c, [name, choice]);
async function choose(name, choice) {
    await page.selectOption(`#plot-${name} select`, choice);
    await drawn(name, choice);
}
/** What pointing at the mark shows that is the `index`th of the trace named `trace`. */
async function hover(name, trace, index) {
    await page.locator(`#plot-${name}`).scrollIntoViewIfNeeded();
    const at = await page.$eval(`#plot-${name} .plot`, (plot, [trace, index]) => {
        const t = plot._fullData.find((d) => d.name === trace), {_xaxis, _yaxis} = {_xaxis: plot._fullLayout.xaxis, _yaxis: plot._fullLayout.yaxis},
              box = plot.getBoundingClientRect();
        return {x: box.x + _xaxis._offset + _xaxis.d2p(t.x[index]), y: box.y + _yaxis._offset + _yaxis.d2p(t.y[index])};
    }, [trace, index]);
    await page.mouse.move(at.x - 30, at.y);
    await page.mouse.move(at.x, at.y, {steps: 3});
    await page.waitForSelector(`#plot-${name} .hoverlayer .hovertext`);
    return page.$$eval(`#plot-${name} .hoverlayer .hovertext text.nums`, (all) => all.map((e) => [...e.querySelectorAll('tspan.line')].map((s) => s.textContent).join('\n') || e.textContent).join('\n'));
}
await check('every choice of every figure is drawn', async () => {
    await open('numbers.html');
    for (const box of await page.$$('.numbers')) {
        const name = (await box.getAttribute('id')).replace('plot-', '');
        for (const choice of await box.$$eval('option', (all) => all.map((o) => o.textContent))) {
            await choose(name, choice);
            const marks = await box.$$eval('.plot .point', (all) => all.length);
            assert.ok(marks > 0, `${name}, ${choice}: no marks`);
        }
    }
    assert.equal((await page.$$('.numbers')).length, 5);
});
await check('pointing at a mark shows what was recorded', async () => {
    await choose('methods', 'CIFAR-10 (JPEG)');
    const lean = table('results/cifar10jpeg-cpu/methods.csv').find((r) => r.method === 'ftervit-lean');
    const said = await hover('methods', 'fully ternary, FTerViT', 0);
    for (const text of [lean.label, `top-1: ${lean.top1_percent} %`, `KL: ${lean.kl} nats`, `gap to the teacher: ${lean.gap_pp} pp`])
        assert.ok(said.includes(text), `${text} is not in: ${said}`);
    await shot('hover');
    await choose('bytes', 'DeiT-Tiny');
    const encoder = table('results/digits/bytes.csv').find((r) => r.model === 'DeiT-Tiny' && r.method === 'fp32' && r.component === 'encoder');
    assert.ok((await hover('bytes', 'encoder', 0)).includes(Number(encoder.bytes).toLocaleString('en')));
});
await check('a click in the legend hides a curve', async () => {
    await choose('restarts', 'digits');
    const curves = () => page.$$eval('#plot-restarts .scatterlayer .trace', (all) => all.length);
    const before = await curves();
    await page.locator('#plot-restarts .legendtoggle').first().click();
    await page.waitForFunction((n) => document.querySelectorAll('#plot-restarts .scatterlayer .trace').length === n - 1, before);
});

/* ---- search, demonstration, screens ---- */

await check('search finds a chapter', async () => {
    await open('index.html');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('rollout');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#search-results li a');
    const found = await page.$$eval('#search-results li a', (all) => all.map((a) => a.getAttribute('href')));
    assert.ok(found.some((f) => f.startsWith('09_rollout.html')), found.join(' '));
    await page.waitForLoadState('networkidle');   // summaries of what was found
});
if (fs.existsSync(path.join(folder, 'demo')))
    await check('the demonstration classifies an example', async () => {
        await open('index.html');
        await page.click('article a[href="try.html"]');
        const frame = page.frameLocator('iframe.demo'), answer = frame.locator('#answers li').first();
        await answer.waitFor();
        assert.match(await answer.textContent(), /church/);
        await frame.locator('#model').selectOption('digits');
        await frame.locator('#examples button', {hasText: '7'}).click();
        await frame.locator('#status', {hasText: /^7: 7, / }).waitFor();
        await shot('demo', {fullPage: true});
    });
else console.log('skipped: the demonstration, which this site was built without');
await check('a narrow screen, dark colours: nothing is wider than the screen', async () => {
    await page.setViewportSize({width: 360, height: 740});
    await page.emulateMedia({colorScheme: 'dark'});
    for (const name of ['index', 'results', 'numbers', 'checklist', 'try', '05c_runs']) {
        await open(`${name}.html`);
        await page.waitForLoadState('networkidle');
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name);
        await shot(`narrow-${name}`);
    }
});
if (shots) {
    await page.setViewportSize({width: 1280, height: 900});
    for (const scheme of ['light', 'dark']) {
        await page.emulateMedia({colorScheme: scheme});
        for (const name of ['index', 'numbers', 'checklist', 'try', '05c_runs']) {
            await open(`${name}.html`);
            await page.waitForTimeout(1500);
            await shot(`${scheme}-${name}`);
            await shot(`${scheme}-${name}-all`, {fullPage: true});
        }
    }
}
const version = browser.version();
await browser.close();
await site.close();
console.log(`${done} checks passed in Chromium ${version}`);
