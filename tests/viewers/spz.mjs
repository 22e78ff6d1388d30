#!/usr/bin/env node
// Prints what Niantic's own library reads in an SPZ file, its axes unchanged: a JSON object.
//
//     node spz.mjs FILE.spz
import fs from 'node:fs';
import createModule from '@adobe/spz';

const spz = await createModule();
const cloud = await spz.loadSpzFromBuffer(fs.readFileSync(process.argv[2]), { to: spz.CoordinateSystem.UNSPECIFIED });
const { numPoints, shDegree, antialiased } = cloud;
const arrays = ['positions', 'scales', 'rotations', 'alphas', 'colors', 'sh'].map(name => [name, Array.from(cloud[name])]);
console.log(JSON.stringify({ numPoints, shDegree, antialiased, ...Object.fromEntries(arrays) }));
