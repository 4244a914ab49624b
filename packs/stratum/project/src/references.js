'use strict';

const { ConfigError } = require('./errors');
const { copyNode, findNode, isPlain } = require('./nodes');
const { formatPath, parsePath } = require('./paths');

/** Puts values in the place of references in texts. */
class Resolver {
  constructor(root) {
    this.root = root;
    this.open = [];
  }

  /** The node that a reference `PATH` or `PATH:-TEXT` in a node stands for; a text if it is not there. */
  target(node, reference) {
    const [, name, , usual] = /^((?:[^:]|:(?!-))*)(:-(.*))?$/s.exec(reference);
    const path = parsePath(name);
    if (path === null) {
      throw new ConfigError(node.file, node.line, `'${name}' is no path`);
    }
    const key = formatPath(path);
    if (this.open.includes(key)) {
      const cycle = [...this.open.slice(this.open.indexOf(key)), key];
      throw new ConfigError(node.file, node.line, `a cycle: ${cycle.join(' -> ')}`);
    }
    this.open.push(key);
    const found = this.find(path);
    this.open.pop();
    if (found === undefined && usual === undefined) {
      throw new ConfigError(node.file, node.line, `there is no ${key}`);
    }
    return found === undefined ? { ...node, value: usual } : found;
  }

  /** The resolved node at a path, also through a text that is a reference to a table or a list. */
  find(path) {
    const direct = findNode(this.root, path);
    if (direct !== undefined) {
      return this.resolve(direct);
    }
    for (let length = path.length - 1; length > 0; length -= 1) {
      const node = findNode(this.root, path.slice(0, length));
      if (node !== undefined && node.type === 'text') {
        return findNode(this.resolve(node), path.slice(length));
      }
    }
    return undefined;
  }

  /** The text of a reference inside of a longer text. */
  inner(node, reference) {
    const found = this.target(node, reference);
    if (!isPlain(found)) {
      throw new ConfigError(node.file, node.line, `a ${found.type} cannot stand in a text`);
    }
    return String(found.value);
  }

  /** A text with its references resolved. One that is nothing but a reference becomes what that stands for. */
  resolveText(node) {
    const whole = /^\$\{([^{}]*)\}$/.exec(node.value);
    if (whole !== null) {
      return { ...copyNode(this.target(node, whole[1])), file: node.file, line: node.line };
    }
    if (/\$\{[^{}]*$/.test(node.value.replace(/\$\$/g, ''))) {
      throw new ConfigError(node.file, node.line, 'a reference has no end');
    }
    const value = node.value.replace(/\$\$|\$\{([^{}]*)\}/g,
      (text, reference) => (text === '$$' ? '$' : this.inner(node, reference)));
    return { ...node, value };
  }

  /** A node with all references in it resolved. */
  resolve(node) {
    if (node.type === 'text' && !node.raw) {
      return this.resolveText(node);
    }
    if (node.type === 'list') {
      return { ...node, value: node.value.map((item) => this.resolve(item)) };
    }
    if (node.type === 'table') {
      return { ...node, value: new Map([...node.value].map(([name, child]) => [name, this.resolve(child)])) };
    }
    return node;
  }
}

/** All of a configuration, with its references resolved. */
function resolveAll(root) {
  return new Resolver(root).resolve(root);
}

module.exports = { resolveAll };
