'use strict';

const { ConfigError } = require('./errors');
const { newNode, newTable } = require('./nodes');
const { formatPath } = require('./paths');
const { readStatements } = require('./reader');

const MOST_INCLUDES = 10;

/** The tables that layers come together in, and what each statement did. */
class Layers {
  constructor(read) {
    this.read = read;
    this.root = newTable({ file: '', line: 0 });
    this.history = [];
    this.open = [];
  }

  /** Notes what a statement did to a path. */
  note(op, path, file, line) {
    this.history.push({ op, path: formatPath(path), file, line });
  }

  /** The table in which the last part of a path is. Tables that are missing are made. */
  tableFor(path, file, line) {
    let node = this.root;
    path.slice(0, -1).forEach((part, index) => {
      let child = node.value.get(part);
      if (child === undefined) {
        child = newTable({ file, line });
        node.value.set(part, child);
      }
      node = child.type === 'list' && child.itemOf === file ? child.value[child.value.length - 1] : child;
      if (node.type !== 'table') {
        throw new ConfigError(file, line, `${formatPath(path.slice(0, index + 1))} is no table`);
      }
    });
    return node;
  }

  /** Sets a value, whatever was there before in other files. */
  set({ path, node, line }, file, seen) {
    const table = this.tableFor(path, file, line);
    const name = path[path.length - 1];
    const old = table.value.get(name);
    if (old !== undefined && seen.has(old)) {
      throw new ConfigError(file, line, `${formatPath(path)} is set twice in this file`);
    }
    table.value.set(name, node);
    seen.add(node);
    this.note('set', path, file, line);
  }

  /** Sets a value that is not there yet. */
  default({ path, node, line }, file) {
    const table = this.tableFor(path, file, line);
    const name = path[path.length - 1];
    const isMissing = !table.value.has(name);
    if (isMissing) {
      table.value.set(name, node);
    }
    this.note(isMissing ? 'default' : 'default, not used', path, file, line);
  }

  /** Adds the items of a list behind those that are there. */
  append({ path, node, line }, file) {
    const table = this.tableFor(path, file, line);
    const name = path[path.length - 1];
    const old = table.value.get(name);
    if (old !== undefined && old.type !== 'list') {
      throw new ConfigError(file, line, `${formatPath(path)} is no list`);
    }
    const items = old === undefined ? node.value : [...old.value, ...node.value];
    table.value.set(name, { ...newNode('list', items, { file, line }), itemOf: old && old.itemOf });
    this.note('append', path, file, line);
  }

  /** Takes a value away. */
  unset({ path, line }, file) {
    const table = this.tableFor(path, file, line);
    const wasThere = table.value.delete(path[path.length - 1]);
    this.note(wasThere ? 'unset' : 'unset, not there', path, file, line);
  }

  /** Makes sure that a section is a table. */
  openTable({ path, line }, file) {
    const node = this.tableFor([...path, ''], file, line);
    if (node.value.size === 0) {
      this.note('open', path, file, line);
    }
  }

  /** Adds a table to a list of tables; the lines behind it go into this one. A list of another file is begun anew. */
  item({ path, node, line }, file) {
    const table = this.tableFor(path, file, line);
    const name = path[path.length - 1];
    let list = table.value.get(name);
    if (list === undefined || list.itemOf !== file) {
      list = { ...newNode('list', [], { file, line }), itemOf: file };
      table.value.set(name, list);
    }
    list.value.push(node);
    this.note('item', path, file, line);
  }

  /** Reads another file at this place. Its name is relative to the folder of this one. */
  include({ name, line }, file) {
    const folder = file.includes('/') ? file.slice(0, file.lastIndexOf('/') + 1) : '';
    const path = name.startsWith('/') ? name : folder + name;
    if (this.open.includes(path)) {
      throw new ConfigError(file, line, `${path} includes itself`);
    }
    if (this.open.length > MOST_INCLUDES) {
      throw new ConfigError(file, line, 'too many files include each other');
    }
    const text = this.read(path);
    if (text === null) {
      throw new ConfigError(file, line, `${path} cannot be read`);
    }
    this.addText(text, path);
  }

  /** Adds the statements of a file on top of what is there. */
  addText(text, file) {
    const seen = new Set();
    this.open.push(file);
    for (const statement of readStatements(text, file)) {
      if (statement.op === 'open') {
        this.openTable(statement, file);
      } else {
        this[statement.op](statement, file, seen);
      }
    }
    this.open.pop();
  }

  /** The statements about a path, or about what it is in, or what is in it. */
  about(path) {
    const whole = formatPath(path);
    const isNear = (one, other) => one === other || one.startsWith(`${other}.`);
    return this.history.filter((entry) => isNear(entry.path, whole) || isNear(whole, entry.path));
  }
}

module.exports = { Layers };
