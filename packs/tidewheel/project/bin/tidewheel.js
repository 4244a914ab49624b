'use strict';

const fs = require('fs');
const { main } = require('../src/cli');

process.exitCode = main(process.argv.slice(2), () => fs.readFileSync(0, 'utf8'), (text) => fs.writeSync(1, text));
