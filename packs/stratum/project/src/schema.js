'use strict';

const { ConfigError } = require('./errors');
const { findNode } = require('./nodes');
const { formatPath, parsePath } = require('./paths');
const { formatBare, flatten } = require('./print');

const TYPES = ['text', 'int', 'number', 'bool', 'list', 'table', 'any'];

/** Reads `1..10`, where either may be left out. Null if it is none. */
function parseRange(word) {
  const match = /^(-?\d+(?:\.\d+)?)?\.\.(-?\d+(?:\.\d+)?)?$/.exec(word);
  if (match === null || word === '..') {
    return null;
  }
  return {
    least: match[1] === undefined ? -Infinity : Number(match[1]),
    most: match[2] === undefined ? Infinity : Number(match[2]),
  };
}

/** Reads the words behind the type of a rule. */
function readWords(rule, words, fault) {
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index];
    const range = parseRange(word);
    if (range !== null) {
      rule.range = range;
    } else if (word === 'required') {
      rule.isRequired = true;
    } else if (word === 'in' && index + 1 < words.length) {
      index += 1;
      rule.choices = words[index].split('|');
    } else if (word === 'of' && TYPES.includes(words[index + 1]) && rule.type === 'list') {
      index += 1;
      rule.items = words[index];
    } else {
      throw fault(`'${word}' is unknown`);
    }
  }
}

/** Reads a line `PATH: TYPE WORDS`. */
function readRule(text, file, line) {
  const fault = (message) => new ConfigError(file, line, message);
  const colon = text.indexOf(':');
  const pattern = parsePath(text.slice(0, Math.max(colon, 0)).trim().replace(/\*/g, '"*"'));
  if (colon < 0 || pattern === null) {
    throw fault('a path and a colon were expected');
  }
  const [type, ...words] = text.slice(colon + 1).trim().split(/\s+/);
  if (!TYPES.includes(type)) {
    throw fault(`'${type}' is no type`);
  }
  const rule = { pattern, type, line, range: null, choices: null, items: null, isRequired: false };
  readWords(rule, words, fault);
  return rule;
}

/** Reads a schema: rules, and whether other paths are refused. */
function readSchema(text, file) {
  const schema = { rules: [], isClosed: false };
  text.split('\n').forEach((whole, index) => {
    const line = whole.replace(/#.*$/, '').trim();
    if (line === 'closed') {
      schema.isClosed = true;
    } else if (line !== '') {
      schema.rules.push(readRule(line, file, index + 1));
    }
  });
  return schema;
}

/** Whether a path is one that a pattern means; `*` is any one part. */
function matches(pattern, path) {
  return pattern.length === path.length && pattern.every((part, index) => part === '*' || part === path[index]);
}

/** Whether a type fits another one that is wanted. */
function fits(type, wanted) {
  return wanted === 'any' || type === wanted || (wanted === 'number' && type === 'int');
}

/** What a range is about: the number, the length of a text or a list, or the size of a table. */
function measure(node) {
  if (node.type === 'text' || node.type === 'list') {
    return node.value.length;
  }
  return node.type === 'table' ? node.value.size : Number(node.value);
}

/** What is wrong with a value by a rule. Null if nothing is. */
function complaint(rule, node) {
  if (!fits(node.type, rule.type)) {
    return `a ${rule.type} was expected, not a ${node.type}`;
  }
  const size = measure(node);
  if (rule.range !== null && (size < rule.range.least || size > rule.range.most)) {
    return `${size} is not in the range`;
  }
  if (rule.choices !== null && !rule.choices.includes(formatBare(node))) {
    return `${formatBare(node)} is not one of ${rule.choices.join(', ')}`;
  }
  if (rule.items !== null) {
    const index = node.value.findIndex((item) => !fits(item.type, rule.items));
    return index < 0 ? null : `item ${index} is a ${node.value[index].type}, not a ${rule.items}`;
  }
  return null;
}

/** The paths below a node that a pattern means, with their nodes. */
function expand(node, pattern, path = []) {
  if (pattern.length === 0) {
    return [{ path, node }];
  }
  const [first, ...rest] = pattern;
  const names = first === '*' && node.type === 'table' ? [...node.value.keys()].sort() : [first];
  return names.flatMap((name) => {
    const child = findNode(node, [name]);
    return child === undefined ? [] : expand(child, rest, [...path, name]);
  });
}

/** The complaints of one rule. */
function checkRule(rule, root) {
  const found = expand(root, rule.pattern);
  if (found.length === 0 && rule.isRequired) {
    return [`${formatPath(rule.pattern)}: it is missing`];
  }
  return found.map(({ path, node }) => ({ path, why: complaint(rule, node) })).filter(({ why }) => why !== null)
    .map(({ path, why }) => `${formatPath(path)}: ${why}`);
}

/** Whether some rule means a path, or a table or list that it is in. */
function isKnown(schema, path) {
  return schema.rules.some((rule) => {
    const isWhole = rule.type === 'any' || rule.type === 'table' || rule.type === 'list';
    return matches(rule.pattern, isWhole ? path.slice(0, rule.pattern.length) : path);
  });
}

/** All complaints: those of the rules in their order, then the paths that no rule means. */
function checkSchema(schema, root) {
  const found = schema.rules.flatMap((rule) => checkRule(rule, root));
  if (!schema.isClosed) {
    return found;
  }
  const unknown = flatten(root).map((entry) => entry.path).filter((path) => !isKnown(schema, parsePath(path)));
  return [...found, ...unknown.map((path) => `${path}: it is unknown`)];
}

module.exports = { readSchema, checkSchema };
