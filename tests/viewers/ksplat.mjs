#!/usr/bin/env node
// Writes a PLY as .ksplat with GaussianSplats3D, whose format that is.
//
//     node ksplat.mjs IN.ply OUT.ksplat LEVEL SH-DEGREE BUCKET-SIZE
import fs from 'node:fs';
import { PlyParser, SplatBufferGenerator } from '@mkkellogg/gaussian-splats-3d';
import { Vector3 } from 'three';

const [input, output, ...numbers] = process.argv.slice(2);
if (numbers.length !== 3) {
    console.error('usage: node ksplat.mjs IN.ply OUT.ksplat LEVEL SH-DEGREE BUCKET-SIZE');
    process.exit(64);
}
const [level, degree, bucketSize] = numbers.map(Number);
const LEAST_ALPHA = 0, SECTION_SIZE = 0, BLOCK_SIZE = 5;
const splats = PlyParser.parseToUncompressedSplatArray(new Uint8Array(fs.readFileSync(input)).buffer, degree);
const generator = SplatBufferGenerator.getStandardGenerator(
    LEAST_ALPHA, level, SECTION_SIZE, new Vector3(), BLOCK_SIZE, bucketSize
);
fs.writeFileSync(output, Buffer.from(generator.generateFromUncompressedSplatArray(splats).bufferData));
