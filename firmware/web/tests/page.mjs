// SPDX-License-Identifier: Apache-2.0
/* page.mjs SITE ONE.html EXPECTED.json SHOTS [MODEL.gguf] : the page as a person uses it, in Chromium.
 *
 * EXPECTED: {model: {example: [class, probability]}}, from the engine in Python. Screenshots go to SHOTS. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {pathToFileURL} from 'node:url';
import {ISOLATED, launch, serve} from './browser.mjs';

const [folder, single, expectedFile, shots, big] = process.argv.slice(2);
if (!shots) throw new Error('usage: page.mjs SITE ONE.html EXPECTED.json SHOTS [MODEL.gguf]');
const expected = JSON.parse(fs.readFileSync(expectedFile)), photo = path.join(folder, 'examples', 'temple.jpg');
const site = await serve({'/': folder}), browser = await launch();
fs.mkdirSync(shots, {recursive: true});
let done = 0;

async function opened(options = {}, query = '') {
    const context = await browser.newContext({
        viewport: {width: 1280, height: 1000},
        permissions: ['camera', 'clipboard-read', 'clipboard-write'],
        ...options
    }),
          page = await context.newPage(), foreign = [], errors = [];
    page.on('request', (r) => {
        if (!/^(http:\/\/127\.0\.0\.1|blob:|data:|file:)/.test(r.url())) foreign.push(r.url());
    });
    page.on('console', (m) => { if (m.type() === 'error') errors.push(m.text()); });
    page.on('pageerror', (e) => errors.push(String(e)));
    await page.goto(options.url ?? `${site.address}/${query}`);
    await page.waitForFunction(
        () => document.body.dataset.ready || !document.getElementById('alert').hidden, null, {timeout: 60000});
    return {page, foreign, errors, close: async () => {
        assert.deepEqual(foreign, [], 'the page asked another host');
        assert.deepEqual(errors, [], 'the console has errors');
        await context.close();
    }};
}
async function check(what, f) {
    try {
        await f();
        done++;
        console.log(`ok: ${what}`);
    } catch (e) {
        process.exitCode = 1;
        console.log(`FAILED: ${what}: ${e.stack ?? e}`);
    }
}
const first = (page) => page.$eval('#answers li', (li) => [...li.querySelectorAll('span')].map((s) => s.textContent));
const status = (page) => page.textContent('#status');
const alertCode = (page) => page.waitForSelector('#alert:not([hidden])').then((e) => e.getAttribute('data-code'));
const next = async (page, act) => {
    const shown = await page.evaluate(() => document.body.dataset.shown);
    await act();
    await page.waitForFunction((n) => document.body.dataset.shown !== n, shown);
};
const says = (page, name) =>
    page.waitForFunction((n) => document.getElementById('status').textContent.startsWith(n + ':'), name);
const drop = (page, file, name) => page.evaluate(async ([bytes, name]) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name));
    document.getElementById('drop').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true}));
}, [fs.readFileSync(file).toString('base64'), name]);
/* within what another decoder of JPEG, or another resizing to the screen, may change */
const same = (got, want, what) => {
    assert.equal(got[0], want[0], what);
    assert.ok(Math.abs(parseFloat(got[1]) - 100 * want[1]) < 3, `${what}: ${got[1]}, in Python ${100 * want[1]}`);
};

const main = await opened(), {page} = main;
await check('every example of every model gets the answer of Python', async () => {
    for (const [model, answers] of Object.entries(expected)) {
        if (await page.inputValue('#model') !== model) await next(page, () => page.selectOption('#model', model));
        for (const [name, want] of Object.entries(answers)) {
            await next(page, () => page.click(`#examples button:has-text("${name}")`));
            same(await first(page), want, `${model}: ${name}`);
        }
    }
});
await check('facts, times and classes are filled in', async () => {
    await page.selectOption('#model', 'imagenette-small');
    const mb = (fs.statSync(path.join(folder, 'models', 'imagenette-small.gguf')).size / 1e6).toFixed(2);
    await page.waitForFunction((t) => document.getElementById('facts').textContent.includes(t), `${mb} MB`);
    await says(page, 'temple');
    const facts = await page.textContent('#facts'), classes = await page.textContent('#classes');
    assert.match(facts, /\d\d\.\d % of 3925 images/);
    assert.match(classes, /golf ball/);
    assert.deepEqual(
        await page.$$eval('#times tbody th', (r) => r.map((e) => e.textContent)),
        ['resizing the picture', 'embed', 'qkv', 'attention', 'proj', 'mlp', 'head']);
    assert.equal((await page.$$('#answers li')).length, 5);
    const widths =
        await page.$$eval('#answers .bar i', (bars) => bars.map((b) => b.offsetWidth / b.parentNode.offsetWidth));
    assert.ok(
        Math.abs(widths[0] - expected['imagenette-small'].temple[1]) < 0.05 && widths[1] < 0.1, `bars of ${widths}`);
    await page.screenshot({path: path.join(shots, 'wide.png'), fullPage: true});
});
await check('the slider changes the overlay, the check box shows the pixels of the network', async () => {
    const picture = () => page.$eval('#view', (c) => c.toDataURL());
    const shaded = await picture();
    await page.focus('#overlay');
    await page.keyboard.press('Home');
    const plain = await picture();
    assert.notEqual(plain, shaded);
    assert.equal(await page.textContent('#overlay-value'), '0 %');
    await page.check('#seen');
    assert.notEqual(await picture(), plain);
    await page.locator('.picture').screenshot({path: path.join(shots, 'pixels.png')});
    await page.uncheck('#seen');
    await page.focus('#overlay');
    for (let i = 0; i < 7; i++) await page.keyboard.press('PageUp');
});
await check('rollout: shares of the patches, their sum one, not all alike', async () => {
    const shares = await page.evaluate(async () => {
        const {Ftervit} = await import('./ftervit.js'), f = await Ftervit.create();
        await f.load('models/imagenette.gguf');
        const {rollout, grid} = await f.classify(await (await fetch('examples/temple.jpg')).blob(), {rollout: true});
        f.close();
        return {rollout: [...rollout], grid};
    });
    assert.equal(shares.rollout.length, shares.grid ** 2);
    assert.ok(Math.abs(shares.rollout.reduce((a, b) => a + b) - 1) < 1e-5);
    assert.ok(Math.max(...shares.rollout) > 1.2 * Math.min(...shares.rollout));
});
await check('a dropped photograph', async () => {
    await drop(page, photo, 'my temple.jpg');
    await says(page, 'my temple.jpg');
    same(await first(page), expected['imagenette-small'].temple, 'dropped');
});
await check('a pasted photograph', async () => {
    await page.evaluate(async (bytes) => {
        const data = new DataTransfer();
        data.items.add(
            new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], 'pasted.jpg', {type: 'image/jpeg'}));
        document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true}));
    }, fs.readFileSync(photo).toString('base64'));
    await says(page, 'pasted.jpg');
});
await check('a chosen photograph', async () => {
    await page.setInputFiles('#photo', path.join(folder, 'examples', 'flower.jpg'));
    await says(page, 'flower.jpg');
});
await check('the camera, and its end', async () => {
    await page.click('#camera');
    await page.waitForFunction(() => document.getElementById('view').getAttribute('aria-label').startsWith('Camera.'));
    assert.equal(await page.getAttribute('#camera', 'aria-pressed'), 'true');
    await page.screenshot({path: path.join(shots, 'camera.png')});
    await page.keyboard.press('Escape');
    assert.equal(await page.getAttribute('#camera', 'aria-pressed'), 'false');
});
await check('files that are no pictures', async () => {
    await drop(page, path.join(folder, 'page.js'), 'script.jpg');
    assert.equal(await alertCode(page), 'picture');
    await page.locator('#alert').screenshot({path: path.join(shots, 'error.png')});
});
await check('files that are no models: named, and the page goes on', async () => {
    const whole = fs.readFileSync(path.join(folder, 'models', 'digits.gguf')), broken = Buffer.from(whole);
    broken[broken.length - 50] ^= 1;
    const other = Buffer.from(whole),
          at = other.indexOf('ftervit.format_version') + 'ftervit.format_version'.length + 4;
    other[at] = 9;
    for (const [name, bytes, code] of [
             ['noise.gguf', fs.readFileSync(photo), 'not-gguf'], ['broken.gguf', broken, 'checksum'],
             ['later.gguf', other, 'unsupported'], ['short.gguf', whole.subarray(0, 1000), 'format'],
             ['empty.gguf', Buffer.alloc(0), 'not-gguf']]) {
        fs.writeFileSync(path.join(shots, name), bytes);
        await page.evaluate(() => { document.getElementById('alert').hidden = true; });
        await drop(page, path.join(shots, name), name);
        assert.equal(await alertCode(page), code, name);
        fs.unlinkSync(path.join(shots, name));
    }
    await page.selectOption('#model', 'digits');
    await says(page, '0');
    assert.ok(await page.isHidden('#alert'));
});
await check('8-bit attention, and the comparison with PyTorch', async () => {
    await page.selectOption('#model', 'digits');
    await says(page, '0');
    await page.click('#selftest');
    await page.waitForFunction(() => /agree with PyTorch/.test(document.getElementById('selftest-result').textContent));
    const [, right, all] = (await page.textContent('#selftest-result')).match(/(\d+) of (\d+) golden/);
    assert.ok(+all > 2 && right === all, `${right} of ${all}`);
    await page.selectOption('#attention', 'int8');
    await says(page, '0');
    assert.equal((await first(page))[0], '0');
    await page.selectOption('#attention', 'f32');
});
if (big) await check(`a model of one's own, ${(fs.statSync(big).size / 1e6).toFixed(1)} MB`, async () => {
    await page.click('#examples button');
    await page.setInputFiles('#gguf', big);
    await page.waitForFunction(() => /224 x 224/.test(document.getElementById('facts').textContent));
    assert.equal(await page.$eval('#model', (s) => s.selectedOptions[0].textContent), path.basename(big));
    await page.click('#examples button:nth-child(1)');
    await page.waitForFunction(() => /class \d+/.test(document.getElementById('answers').textContent));
    await page.screenshot({path: path.join(shots, 'own.png'), fullPage: true});
});
await check('nothing but the folder was asked for, and the console is quiet', main.close);

await check('the module without relaxed SIMD gives the same answer', async () => {
    const {page, close} = await opened({}, '?module=simd128&model=imagenette');
    same(await first(page), expected.imagenette.temple, 'simd128');
    assert.match(await page.textContent('#times caption'), /kernels simd128/);
    await close();
});
await check('a page that is cross-origin isolated computes the same on two threads', async () => {
    const isolated = await serve({'/': folder}, ISOLATED),
          {page, close} = await opened({url: `${isolated.address}/?model=imagenette-small`});
    same(await first(page), expected['imagenette-small'].temple, 'two threads');
    const cores = await page.evaluate(() => navigator.hardwareConcurrency);
    assert.match(await page.textContent('#times caption'), cores > 1 ? /2 threads/ : /one thread/);
    await close();
    await isolated.close();
});
await check('keyboard alone: every control can be reached, an example opened', async () => {
    const {page, close} = await opened({}, '?model=digits'), reached = new Set();
    for (let i = 0; i < 30; i++) {
        await page.keyboard.press('Tab');
        reached.add(await page.evaluate(
            () => document.activeElement.id || document.activeElement.textContent.trim() ||
                document.activeElement.tagName));
    }
    for (const id of ['photo', 'camera', 'overlay', 'seen', '7', 'model', 'gguf', 'attention', 'selftest'])
        assert.ok(reached.has(id), `${id} cannot be reached: ${[...reached]}`);
    await page.focus('#examples li:nth-child(8) button');
    await page.keyboard.press('Enter');
    await says(page, '7');
    assert.equal((await first(page))[0], '7');
    await page.screenshot({path: path.join(shots, 'digits.png'), fullPage: true});
    await close();
});
await check('a screen reader finds names for everything', async () => {
    const {page, close} = await opened({}, '?model=digits');
    const nameless = await page.evaluate(
        () => [...document.querySelectorAll('button, input, select, canvas, progress, table')]
                  .filter(
                      (e) => !(e.getAttribute('aria-label') || e.labels?.length || e.textContent.trim() || e.caption))
                  .map((e) => e.outerHTML));
    assert.deepEqual(nameless, []);
    assert.match(await page.getAttribute('#view', 'aria-label'), /The network says 0/);
    await close();
});
await check('a narrow screen and dark colours: nothing is wider than the screen', async () => {
    const {page, close} = await opened(
        {viewport: {width: 360, height: 740}, colorScheme: 'dark', deviceScaleFactor: 2}, '?model=imagenette');
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    await page.screenshot({path: path.join(shots, 'narrow.png'), fullPage: true});
    await close();
});
await check('no WebAssembly SIMD: said by name', async () => {
    const context = await browser.newContext(), page = await context.newPage();
    await page.addInitScript(() => { WebAssembly.validate = () => false; });
    await page.goto(site.address);
    assert.equal(await alertCode(page), 'no-simd');
    await context.close();
});
await check('the one file, from the disk', async () => {
    const {page, close} = await opened({url: pathToFileURL(single).href});
    same(await first(page), expected.imagenette.temple, 'one file');
    await page.selectOption('#model', 'digits');
    await says(page, '0');
    await close();
});
await check('the one file, in a frame by srcdoc, as a notebook shows it', async () => {
    const context = await browser.newContext({viewport: {width: 1000, height: 800}}), page = await context.newPage();
    await page.goto(`${site.address}/package.json`);
    await page.evaluate((text) => {
        const f = document.createElement('iframe');
        f.srcdoc = text;
        document.body.replaceChildren(f);
    }, fs.readFileSync(single, 'utf8'));
    const inner = page.frameLocator('iframe');
    await inner.locator('#answers li').first().waitFor({timeout: 30000});
    assert.match(await inner.locator('#answers li').first().textContent(), new RegExp(expected.imagenette.temple[0]));
    await context.close();
});
await browser.close();
await site.close();
console.log(`${done} checks passed in Chromium ${browser.version()}`);
