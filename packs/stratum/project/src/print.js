'use strict';

const { sortedNames } = require('./nodes');
const { formatPath } = require('./paths');

const SHORT = { '\n': '\\n', '\t': '\\t', '"': '\\"', '\\': '\\\\' };

/** A text in quotes, with escapes. With `dollars`, dollar signs have a backslash. */
function quote(text, dollars) {
  const escaped = text.replace(/["\\\u0000-\u001f]/g,
    (letter) => SHORT[letter] || `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `"${dollars ? escaped.replace(/\$/g, '\\$') : escaped}"`;
}

/** A value in one line, as files have it. Names of tables are in the order of their bytes. */
function formatValue(node) {
  if (node.type === 'text') {
    return quote(node.value, true);
  }
  if (node.type === 'list') {
    return `[${node.value.map(formatValue).join(', ')}]`;
  }
  if (node.type === 'table') {
    const entries = sortedNames(node).map((name) => `${formatPath([name])} = ${formatValue(node.value.get(name))}`);
    return `{${entries.join(', ')}}`;
  }
  return String(node.value);
}

/** A value as `get` prints it: a text as it is. */
function formatBare(node) {
  return node.type === 'text' ? node.value : formatValue(node);
}

/** The paths of all values that are no filled tables, with the values, in their order. */
function flatten(node, path = []) {
  if (node.type !== 'table' || (node.value.size === 0 && path.length > 0)) {
    return [{ path: formatPath(path), node }];
  }
  return sortedNames(node).flatMap((name) => flatten(node.value.get(name), [...path, name]));
}

/** The lines of items between brackets, a level deeper. */
function jsonLines(open, items, close, indent) {
  if (items.length === 0) {
    return open + close;
  }
  const inner = `${indent}  `;
  return `${open}\n${items.map((item) => inner + item(inner)).join(',\n')}\n${indent}${close}`;
}

/** A node as JSON over several lines. */
function formatJson(node, indent = '') {
  if (node.type === 'list') {
    return jsonLines('[', node.value.map((item) => (inner) => formatJson(item, inner)), ']', indent);
  }
  if (node.type === 'table') {
    const entries = sortedNames(node).map(
      (name) => (inner) => `${quote(name, false)}: ${formatJson(node.value.get(name), inner)}`);
    return jsonLines('{', entries, '}', indent);
  }
  return node.type === 'text' ? quote(node.value, false) : String(node.value);
}

/** The differences between two configurations, a line each. */
function compare(left, right) {
  const before = new Map(flatten(left).map((entry) => [entry.path, formatValue(entry.node)]));
  const after = new Map(flatten(right).map((entry) => [entry.path, formatValue(entry.node)]));
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort((one, other) => (one < other ? -1 : 1));
  return paths.filter((path) => before.get(path) !== after.get(path)).map((path) => {
    if (!after.has(path)) {
      return `- ${path} = ${before.get(path)}`;
    }
    return before.has(path) ? `~ ${path}: ${before.get(path)} -> ${after.get(path)}` : `+ ${path} = ${after.get(path)}`;
  });
}

module.exports = { formatValue, formatBare, flatten, formatJson, compare };
