#!/usr/bin/env node
// Prints what Khronos' glTF validator finds in a GLB: a JSON list of {code, severity, pointer}.
//
//     node validate.mjs FILE.glb
import fs from 'node:fs';
import { validateBytes } from 'gltf-validator';

const report = await validateBytes(new Uint8Array(fs.readFileSync(process.argv[2])));
console.log(JSON.stringify(report.issues.messages.map(({ code, severity, pointer }) => ({ code, severity, pointer }))));
