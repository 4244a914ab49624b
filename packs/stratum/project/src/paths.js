'use strict';

const BARE = /^[A-Za-z0-9_-]+/;

/** Reads one part of a path at a place of a text: a bare word, or one in double quotes. Null if there is none. */
function readPart(text, at) {
  if (text[at] === '"') {
    const end = text.indexOf('"', at + 1);
    return end < 0 || end === at + 1 ? null : { part: text.slice(at + 1, end), end: end + 1 };
  }
  const match = BARE.exec(text.slice(at));
  return match === null ? null : { part: match[0], end: at + match[0].length };
}

/** Reads a path from a place on. Null if there is none; else its parts, and where it ends. */
function readPath(text, at) {
  const path = [];
  let end = at;
  for (;;) {
    const found = readPart(text, end);
    if (found === null) {
      return null;
    }
    path.push(found.part);
    end = found.end;
    if (text[end] !== '.') {
      return { path, end };
    }
    end += 1;
  }
}

/** Reads a whole text as a path. Null if it is none. */
function parsePath(text) {
  const found = readPath(text, 0);
  return found === null || found.end !== text.length ? null : found.path;
}

/** Writes a path. Parts that are not bare stand in quotes. */
function formatPath(path) {
  return path.map((part) => (part.replace(BARE, '') === '' ? part : `"${part}"`)).join('.');
}

module.exports = { readPath, parsePath, formatPath };
