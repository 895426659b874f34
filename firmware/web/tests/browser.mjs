// SPDX-License-Identifier: Apache-2.0
/* Chromium with a page of a folder that this process serves: what the tests and the benchmark share. */
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import {chromium} from 'playwright-core';

const TYPES = {
    '.html': 'text/html',
    '.js': 'text/javascript',
    '.mjs': 'text/javascript',
    '.css': 'text/css',
    '.json': 'application/json',
    '.wasm': 'application/wasm',
    '.jpg': 'image/jpeg',
    '.png': 'image/png',
    '.svg': 'image/svg+xml'
};

/** What makes a page cross-origin isolated, so that its Workers may share memory. */
export const ISOLATED = {'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp'};

/**
 * Serves `mounts` ({'/': folder, '/ort/': folder, ...}; the longest prefix wins): its address, and the paths asked
 * for.
 */
export async function serve(mounts, headers = {}) {
    const asked = [], prefixes = Object.keys(mounts).sort((a, b) => b.length - a.length);
    const server = http.createServer((request, response) => {
        const url = decodeURIComponent(new URL(request.url, 'http://x').pathname),
              prefix = prefixes.find((p) => url.startsWith(p));
        const file = path.join(mounts[prefix], url.slice(prefix.length) || 'index.html');
        asked.push(url);
        if (!fs.existsSync(file) || !fs.statSync(file).isFile()) return response.writeHead(404).end();
        response.writeHead(200, {
            ...headers,
            'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream',
            'content-length': fs.statSync(file).size
        });
        fs.createReadStream(file).pipe(response);
    });
    await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
    return {
        address: `http://127.0.0.1:${server.address().port}`,
        asked,
        close: () => new Promise((done) => server.close(done))
    };
}

export function executable() {
    const names = (process.env.CHROMIUM ? [process.env.CHROMIUM] : ['chromium', 'chromium-browser', 'google-chrome']);
    for (const name of names)
        for (const folder of name.includes('/') ? [''] : process.env.PATH.split(':'))
            if (fs.existsSync(path.join(folder, name))) return path.join(folder, name);
    throw new Error(`not installed: ${names.join(', ')}`);
}

/** Chromium with a camera that shows a pattern; the sandbox needs what containers do not give. */
export const launch = (args = []) => chromium.launch({
    executablePath: executable(),
    args: ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', ...args]
});
