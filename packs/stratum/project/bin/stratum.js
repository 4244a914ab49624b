'use strict';

const fs = require('fs');
const { main } = require('../src/cli');

/** The text of a file, or null if it cannot be read. */
function read(path) {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch (error) {
    return null;
  }
}

process.exitCode = main(process.argv.slice(2), read, (text) => fs.writeSync(1, text));
