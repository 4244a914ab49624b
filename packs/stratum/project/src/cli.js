'use strict';

const { ConfigError, UsageError } = require('./errors');
const { Layers } = require('./layers');
const { findNode } = require('./nodes');
const { parsePath } = require('./paths');
const { compare, flatten, formatBare, formatJson, formatValue } = require('./print');
const { readValue } = require('./reader');
const { resolveAll } = require('./references');
const { checkSchema, readSchema } = require('./schema');

const USAGE = `usage: stratum COMMAND [--set PATH=VALUE ...] ARGUMENTS
  show FILE ... | json FILE ... | get PATH FILE ... | has PATH FILE ... | names PATH FILE ...
  origin PATH FILE ... | diff FILE ... -- FILE ... | check SCHEMA FILE ...
`;

/** Splits `--set PATH=VALUE` from the other arguments. */
function splitOptions(words) {
  const sets = [];
  const rest = [];
  for (let index = 0; index < words.length; index += 1) {
    if (words[index] !== '--set') {
      rest.push(words[index]);
      continue;
    }
    index += 1;
    if (words[index] === undefined) {
      throw new UsageError('--set needs PATH=VALUE');
    }
    sets.push(words[index]);
  }
  return { sets, rest };
}

/** Reads `PATH=VALUE`. What is no value is a text. */
function parseSet(word) {
  const sign = word.indexOf('=');
  const path = sign < 0 ? null : parsePath(word.slice(0, sign));
  if (path === null) {
    throw new UsageError(`'${word}' is no PATH=VALUE`);
  }
  const text = word.slice(sign + 1);
  try {
    return { op: 'set', path, node: readValue(text, '--set'), line: 1 };
  } catch (error) {
    if (!(error instanceof ConfigError)) {
      throw error;
    }
    return { op: 'set', path, node: { type: 'text', value: text, file: '--set', line: 1, raw: true }, line: 1 };
  }
}

function readFile(read, path) {
  const text = read(path);
  if (text === null) {
    throw new UsageError(`${path} cannot be read`);
  }
  return text;
}

/** Puts files on top of each other, and the options on top of all. */
function load(context, files) {
  if (files.length === 0) {
    throw new UsageError('a file was expected');
  }
  const layers = new Layers(context.read);
  files.forEach((file) => layers.addText(readFile(context.read, file), file));
  context.sets.map(parseSet).forEach((statement) => layers.set(statement, '--set', new Set()));
  return layers;
}

/** Reads a path from the arguments. */
function pathOf(word) {
  const path = word === undefined ? null : parsePath(word);
  if (path === null) {
    throw new UsageError('a path was expected');
  }
  return path;
}

function runShow(context, files) {
  const root = resolveAll(load(context, files).root);
  return { lines: flatten(root).map((entry) => `${entry.path} = ${formatValue(entry.node)}`), status: 0 };
}

function runJson(context, files) {
  return { lines: [formatJson(resolveAll(load(context, files).root))], status: 0 };
}

function runGet(context, [word, ...files]) {
  const path = pathOf(word);
  const node = findNode(resolveAll(load(context, files).root), path);
  return node === undefined ? { lines: [`there is no ${word}`], status: 1 } : { lines: [formatBare(node)], status: 0 };
}

function runHas(context, [word, ...files]) {
  const path = pathOf(word);
  const node = findNode(load(context, files).root, path);
  return node === undefined ? { lines: ['missing'], status: 1 } : { lines: [`there: ${node.type}`], status: 0 };
}

/** The names in a table, or the number of items of a list. */
function runNames(context, [word, ...files]) {
  const path = pathOf(word);
  const node = findNode(resolveAll(load(context, files).root), path);
  if (node === undefined || (node.type !== 'table' && node.type !== 'list')) {
    return { lines: [`${word} is no table and no list`], status: 1 };
  }
  if (node.type === 'list') {
    return { lines: [`${node.value.length} items`], status: 0 };
  }
  return { lines: [...node.value.keys()].sort(), status: 0 };
}

/** What was done to a path, in the order in which it was. */
function runOrigin(context, [word, ...files]) {
  const path = pathOf(word);
  const entries = load(context, files).about(path);
  const lines = entries.map((entry) => `${entry.file}:${entry.line}: ${entry.op} ${entry.path}`);
  return entries.length === 0 ? { lines: [`nothing is said of ${word}`], status: 1 } : { lines, status: 0 };
}

function runDiff(context, words) {
  const middle = words.indexOf('--');
  if (middle < 0) {
    throw new UsageError("'--' was expected between the files");
  }
  const left = resolveAll(load(context, words.slice(0, middle)).root);
  const right = resolveAll(load(context, words.slice(middle + 1)).root);
  const lines = compare(left, right);
  return { lines: [...lines, `${lines.length} differences`], status: lines.length > 0 ? 1 : 0 };
}

function runCheck(context, [file, ...files]) {
  if (file === undefined) {
    throw new UsageError('a schema was expected');
  }
  const schema = readSchema(readFile(context.read, file), file);
  const lines = checkSchema(schema, resolveAll(load(context, files).root));
  return { lines: [...lines, `${lines.length} complaints`], status: lines.length > 0 ? 1 : 0 };
}

const COMMANDS = {
  show: runShow, json: runJson, get: runGet, has: runHas, names: runNames, origin: runOrigin, diff: runDiff, check: runCheck,
};

/** Runs the program. Gives the exit code. */
function main([command, ...words], read, write) {
  if (command === undefined || !Object.hasOwn(COMMANDS, command)) {
    write(USAGE);
    return 2;
  }
  try {
    const { sets, rest } = splitOptions(words);
    const { lines, status } = COMMANDS[command]({ sets, read }, rest);
    write(lines.map((line) => `${line}\n`).join(''));
    return status;
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof UsageError)) {
      throw error;
    }
    write(`stratum: ${error.message}\n`);
    return 2;
  }
}

module.exports = { main };
