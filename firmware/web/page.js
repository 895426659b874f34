// SPDX-License-Identifier: Apache-2.0
/* The page: a picture in, bars, an overlay and times out. */
import {Ftervit, FtervitError, bitmapOf, bytesOf, pixelsOf} from './ftervit.js';

const $ = (id) => document.getElementById(id);
const make = (tag, props = {}, ...children) => {
    const e = Object.assign(document.createElement(tag), props);
    e.append(...children);
    return e;
};
const percent = (x, digits = 1) => `${(100 * x).toFixed(digits)} %`;
const state = {
    engine: null,
    models: [],
    facts: null,
    bitmap: null,
    result: null,
    busy: false,
    stream: null,
    name: '',
    shown: 0
};

function report(e) {
    const known = e instanceof FtervitError;
    $('alert').textContent = known ? e.message : `Something went wrong: ${e.message ?? e}`;
    $('alert').dataset.code = known ? e.code : 'other';
    $('alert').hidden = false;
    $('progress').hidden = true;
    if (!known) console.error(e);
}
const guarded = (f) => async (...args) => {
    $('alert').hidden = true;
    try {
        return await f(...args);
    } catch (e) {
        report(e);
    }
};

/* ---- the picture, and what the answer came from ---- */

/** The part of a picture of width x height that the network gets. */
function seenPart({width, height}, {crop, imageSize, resizeSize}) {
    if (crop === 'squash') return [0, 0, width, height];
    const side = Math.min(width, height) * imageSize / resizeSize;
    return [(width - side) / 2, (height - side) / 2, side, side];
}

function draw() {
    const canvas = $('view'), context = canvas.getContext('2d'), {bitmap, result, facts} = state, n = canvas.width;
    context.clearRect(0, 0, n, n);
    $('hint').hidden = Boolean(bitmap);
    if (!bitmap) return;
    context.fillStyle = '#fff';
    context.fillRect(0, 0, n, n);
    if ($('seen').checked && result) {
        const {size, channels, pixels} = result, image = new ImageData(size, size);
        for (let i = 0; i < size * size; i++)
            for (let c = 0; c < 4; c++)
                image.data[4 * i + c] = c === 3 ? 255 : pixels[i * channels + Math.min(c, channels - 1)];
        context.imageSmoothingEnabled = false;
        context.drawImage(canvasOf(image), 0, 0, n, n);
    } else {
        context.imageSmoothingEnabled = Math.min(bitmap.width, bitmap.height) > 64;
        context.drawImage(bitmap, ...seenPart(bitmap, facts), 0, 0, n, n);
    }
    if (result?.rollout) shade(context, n, result.rollout, result.grid, $('overlay').value / 100);
}

function canvasOf(image) {
    const canvas = make('canvas', {width: image.width, height: image.height});
    canvas.getContext('2d').putImageData(image, 0, 0);
    return canvas;
}

/** Black over the patches that count little, smooth between them; the strongest twentieth of them stays as it is. */
function shade(context, n, rollout, grid, strength) {
    const sorted = rollout.toSorted(), top = sorted[Math.floor(0.95 * (sorted.length - 1))], least = sorted[0],
          image = new ImageData(grid, grid);
    rollout.forEach((share, i) => {
        image.data[4 * i + 3] = 255 * strength * (1 - Math.min(1, (share - least) / (top - least || 1)));
    });
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = 'high';
    const cell = n / grid, padded = make('canvas', {width: grid + 2, height: grid + 2}), edge = padded.getContext('2d'),
          source = canvasOf(image);
    for (const [dx, dy] of [[0, 0], [2, 0], [0, 2], [2, 2], [1, 0], [0, 1], [2, 1], [1, 2]])
        edge.drawImage(source, dx, dy); /* the outermost patches go on to the edge */
    edge.clearRect(1, 1, grid, grid);
    edge.drawImage(source, 1, 1);
    context.drawImage(padded, -cell, -cell, n + 2 * cell, n + 2 * cell);
}

/* ---- the answer ---- */

function show() {
    const {answers, stages, ms, preprocessMs, kernels, threads} = state.result;
    $('answers').replaceChildren(...answers.map(({name, probability}) => {
        const bar = make('i');
        bar.style.width = `${100 * probability}%`;
        return make(
            'li', {}, make('span', {textContent: name}), make('span', {textContent: percent(probability)}),
            make('div', {className: 'bar', ariaHidden: 'true'}, bar));
    }));
    if (!state.stream)
        $('status').textContent =
            `${state.name}: ${answers[0].name}, ${percent(answers[0].probability)}, in ${ms.toFixed(1)} ms`;
    $('view').setAttribute('aria-label', `${state.name}. The network says ${answers[0].name}.`);
    const total = {picture: preprocessMs};
    for (const {stage, ms} of stages) total[stage] = (total[stage] ?? 0) + ms;
    const most = Math.max(...Object.values(total));
    $('times').querySelector('tbody').replaceChildren(...Object.entries(total).map(([stage, time]) => {
        const bar = make('i');
        bar.style.width = `${100 * time / most}%`;
        return make(
            'tr', {}, make('th', {scope: 'row', textContent: stage === 'picture' ? 'resizing the picture' : stage}),
            make('td', {textContent: time.toFixed(1)}),
            make('td', {}, make('div', {className: 'bar', ariaHidden: 'true'}, bar)));
    }));
    $('times').caption.textContent = `One forward pass, all blocks together (kernels ${kernels}, ${
        threads > 1 ? `${threads} threads` : 'one thread'})`;
    draw();
    document.body.dataset.shown = ++state.shown;
}

async function classify(bitmap, name) {
    if (!state.facts) return;
    const {pixels, ...timed} = await state.engine.classify(bitmap, {rollout: true});
    state.bitmap = bitmap, state.name = name;
    state.result = {...timed, pixels};
    show();
}

const open = guarded(async (source, name) => {
    stopCamera();
    $('status').textContent = `Reading ${name}`;
    await classify(await bitmapOf(source), name);
});

/* ---- models ---- */

function showFacts(model) {
    const f = state.facts, bits = {'2bit': '2', base3: '1.6'}[f.packing];
    const rows = {
        'size of the file': `${(f.bytes / 1e6).toFixed(2)} MB`,
        'ternary weights': `${(f.codes / 1e6).toFixed(2)} million, ${bits} bits each`,
        'of them zero': percent(f.zeros),
        'top-1 on its test set': model?.top1 ? `${model.top1.toFixed(1)} % of ${model.tested} images` : 'not measured',
        ...(model?.teacherTop1 ?
                {'its FP32 teacher': `${model.teacherTop1.toFixed(1)} %, ${(model.teacherBytes / 1e6).toFixed(1)} MB`} :
                {}),
        input: `${f.imageSize} x ${f.imageSize}, ${f.channels === 1 ? 'grey' : 'colour'}, patches of ${f.patchSize}`,
        body: `${f.depth} blocks of ${f.embedDim}, ${f.heads} heads`,
        classes: f.classes,
        'products with ternary weights': `${(f.macs / 1e6).toFixed(0)} million a picture`
    };
    $('facts').querySelector('tbody').replaceChildren(...Object.entries(rows).map(
        ([what, value]) =>
            make('tr', {}, make('th', {scope: 'row', textContent: what}), make('td', {textContent: value}))));
    $('classes').textContent = f.names.join(', ');
    $('selftest-result').textContent = '';
}

async function loadModel(source, model) {
    $('progress').hidden = typeof source !== 'string';
    $('progress').removeAttribute('value');
    $('status').textContent = `Loading ${model?.name ?? source.name}`;
    state.facts = await state.engine.load(
        source, {attention: $('attention').value, onProgress: (share) => { $('progress').value = share; }});
    $('progress').hidden = true;
    showFacts(model);
    $('status').textContent = 'Ready';
}

const choose = guarded(async (id) => {
    stopCamera();
    const model = state.models.find((m) => m.id === id);
    await loadModel(model.file, model);
    await showExamples(model.examples);
    const {file, name} = model.examples[0];
    await classify(await bitmapOf(new Blob([await bytesOf(file, document.baseURI)])), name);
});

const chooseFile = guarded(async (file) => {
    if (!file) return;
    await loadModel(file, null);
    let own = $('model').querySelector('[value=own]');
    if (!own) $('model').append(own = make('option', {value: 'own'}));
    own.textContent = file.name;
    $('model').value = 'own';
    if (state.bitmap) await classify(state.bitmap, state.name);
});

async function showExamples(examples) {
    const buttons = [];
    for (const {file, name, small} of examples) {
        const blob = new Blob([await bytesOf(file, document.baseURI)]),
              image = make('img', {src: URL.createObjectURL(blob), alt: '', className: small ? 'small' : ''});
        buttons.push(make('li', {}, make('button', {type: 'button', onclick: () => open(blob, name)}, image, name)));
    }
    $('examples').replaceChildren(...buttons);
    $('origin').textContent = `Examples: ${[...new Set(examples.map((e) => e.origin))].join('; ')}.`;
}

/* ---- camera ---- */

function stopCamera() {
    for (const track of state.stream?.getTracks() ?? []) track.stop();
    state.stream = null;
    $('camera').setAttribute('aria-pressed', 'false');
    $('camera').textContent = 'Camera';
}

const camera = guarded(async () => {
    if (state.stream) return stopCamera();
    try {
        state.stream = await navigator.mediaDevices.getUserMedia(
            {video: {facingMode: 'environment', width: {ideal: 640}}, audio: false});
    } catch (e) {
        throw new FtervitError('camera', `No camera: ${e.message}.`);
    }
    $('camera').setAttribute('aria-pressed', 'true');
    $('camera').textContent = 'Stop the camera';
    $('status').textContent = 'The camera is on';
    const video = $('video');
    video.srcObject = state.stream;
    await video.play();
    while (state.stream) await classify(await createImageBitmap(video), 'Camera');
});

/* ---- what a person does ---- */

function listen() {
    const drop = document.body;
    drop.addEventListener('dragover', (e) => { e.preventDefault(); $('drop').classList.add('over'); });
    drop.addEventListener('dragleave', () => $('drop').classList.remove('over'));
    drop.addEventListener('drop', (e) => {
        e.preventDefault();
        $('drop').classList.remove('over');
        const file = e.dataTransfer.files[0];
        if (file) file.name.endsWith('.gguf') ? chooseFile(file) : open(file, file.name);
    });
    document.addEventListener('paste', (e) => {
        const file = [...e.clipboardData.files][0];
        if (file) open(file, file.name);
    });
    $('photo').addEventListener('change', ({target}) => {
        if (target.files[0]) open(target.files[0], target.files[0].name);
        target.value = '';
    });
    $('gguf').addEventListener(
        'change', ({target}) => { chooseFile(target.files[0]).then(() => { target.value = ''; }); });
    $('camera').addEventListener('click', camera);
    document.addEventListener('keydown', (e) => { if (e.key === 'Escape') stopCamera(); });
    $('overlay').addEventListener('input', ({target}) => {
        $('overlay-value').textContent = `${target.value} %`;
        draw();
    });
    $('seen').addEventListener('change', draw);
    $('model').addEventListener('change', ({target}) => { if (target.value !== 'own') choose(target.value); });
    $('attention').addEventListener('change', guarded(async ({target}) => {
        state.facts = await state.engine.start({attention: target.value});
        if (state.bitmap) await classify(state.bitmap, state.name);
    }));
    $('selftest').addEventListener('click', guarded(async () => {
        const {stages} = await state.engine.selftest({attention: $('attention').value});
        const compared = stages.filter((s) => s.golden), wrong = compared.filter((s) => s.golden === 'wrong'),
              largest = Math.max(0, ...compared.map((s) => s.difference)), right = compared.length - wrong.length;
        const first = wrong.length ? `; first wrong: ${wrong[0].stage} ${wrong[0].block}.` : '. ';
        $('selftest-result').textContent = !compared.length
            ? 'This file carries no golden tensors to compare with.'
            : `${right} of ${compared.length} golden tensors agree with PyTorch's within the file's tolerance ` +
                `(largest difference ${largest.toExponential(1)} of the largest value)${first}` +
                `CRC-32 of the logits: ${stages.at(-1).crc}.`;
    }));
}

const begin = guarded(async () => {
    listen();
    state.engine = await Ftervit.create({module: new URLSearchParams(location.search).get('module') ?? undefined});
    state.models = JSON.parse(new TextDecoder().decode(await bytesOf('models.json', document.baseURI)));
    $('model').replaceChildren(...state.models.map(({id, name}) => make('option', {value: id, textContent: name})));
    const wanted = new URLSearchParams(location.search).get('model');
    if (state.models.some((m) => m.id === wanted)) $('model').value = wanted;
    await choose($('model').value);
    document.body.dataset.ready = 'true';
});
begin();
