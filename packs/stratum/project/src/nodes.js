'use strict';

/** A node is a value with its type, and where it was written: text, int, number, bool, list or table. */
function newNode(type, value, place) {
  return { type, value, file: place.file, line: place.line, raw: false };
}

function newTable(place) {
  return newNode('table', new Map(), place);
}

/** A copy that shares nothing with the node. */
function copyNode(node) {
  let { value } = node;
  if (node.type === 'list') {
    value = node.value.map(copyNode);
  } else if (node.type === 'table') {
    value = new Map([...node.value].map(([name, child]) => [name, copyNode(child)]));
  }
  return { ...node, value };
}

/** The child of a table with a name, or of a list with an index. Undefined if there is none. */
function childOf(node, part) {
  if (node.type === 'table') {
    return node.value.get(part);
  }
  return node.type === 'list' && /^(0|[1-9]\d*)$/.test(part) ? node.value[Number(part)] : undefined;
}

/** The node at a path. Undefined if there is none. */
function findNode(root, path) {
  let node = root;
  for (const part of path) {
    node = childOf(node, part);
    if (node === undefined) {
      return undefined;
    }
  }
  return node;
}

/** Whether a node is a single value. */
function isPlain(node) {
  return node.type !== 'list' && node.type !== 'table';
}

/** The names of a table in the order of their bytes. */
function sortedNames(table) {
  return [...table.value.keys()].sort((one, other) => (one < other ? -1 : 1));
}

module.exports = { newNode, newTable, copyNode, findNode, isPlain, sortedNames };
