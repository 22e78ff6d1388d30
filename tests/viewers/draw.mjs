#!/usr/bin/env node
// Draws views of a scene with the stock PlayCanvas engine in headless Chromium, in software.
//
//     node draw.mjs SCENE VIEWS.json OUT-FOLDER
//
// VIEWS.json: {width, height, fieldOfViewDegrees, views: [{eye, target, up}]}. Writes OUT-FOLDER/0.png, 1.png, ... and prints
// {engine, splats}. Exit 1 with the reasons if the engine or the browser reports any error.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const [scene, viewsFile, out] = process.argv.slice(2);
if (!out) {
    console.error('usage: node draw.mjs SCENE VIEWS.json OUT-FOLDER');
    process.exit(64);
}
const here = path.dirname(fileURLToPath(import.meta.url));
const { views, ...options } = JSON.parse(fs.readFileSync(viewsFile, 'utf8'));
const types = { '.html': 'text/html', '.mjs': 'text/javascript' };
const name = `/scene/${path.basename(scene)}`;
const files = {
    '/page.html': path.join(here, 'page.html'),
    '/engine/playcanvas.mjs': path.join(here, 'node_modules/playcanvas/build/playcanvas.mjs'),
    [name]: scene
};

const server = http.createServer((request, response) => {
    const file = files[decodeURIComponent(request.url)];
    if (!file) return response.writeHead(request.url === '/favicon.ico' ? 204 : 404).end();
    response.writeHead(200, {
        'content-type': types[path.extname(file)] ?? 'application/octet-stream', 'content-length': fs.statSync(file).size
    });
    return fs.createReadStream(file).pipe(response);
});
await new Promise(listening => server.listen(0, '127.0.0.1', listening));

const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
        '--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--force-color-profile=srgb',
        '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-quic'
    ]
});
const problems = [];
try {
    const page = await browser.newPage({ viewport: { width: options.width, height: options.height } });
    page.on('console', message => message.type() === 'error' && problems.push(message.text()));
    page.on('pageerror', error => problems.push(error.message));
    page.on('response', response => response.status() >= 400 && problems.push(`${response.status()} ${response.url()}`));
    await page.goto(`http://127.0.0.1:${server.address().port}/page.html`);
    await page.waitForFunction(() => window.draw);
    const report = await page.evaluate(o => window.open(o), { ...options, asset: name });
    fs.mkdirSync(out, { recursive: true });
    for (const [index, view] of views.entries()) {
        const url = await page.evaluate(v => window.draw(v), view);
        fs.writeFileSync(path.join(out, `${index}.png`), Buffer.from(url.split(',')[1], 'base64'));
    }
    console.log(JSON.stringify(report));
} catch (error) {
    problems.push(error.message.split('\n')[0]);
} finally {
    await browser.close();
    server.close();
}
problems.forEach(problem => console.error(problem));
process.exit(problems.length ? 1 : 0);
