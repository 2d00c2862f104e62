/** A small file tree in memory for the fake backend, with one folder of 100,000 entries. */
import { AppError } from './error';
import type { Row } from './types';

export interface Node {
  name: string;
  kind: Row['kind'];
  size: number | null;
  modified: number | null;
  precision: Row['precision'];
  permissions: string | null;
  target: string | null;
  children: Map<string, Node> | null;
}

type Sketch = { [name: string]: Sketch | number | { link: string } };

const DAY = 86_400_000;

export class FakeTree {
  readonly root: Node;
  readonly #start: number;
  #age = 0;

  constructor(sketch: Sketch, now: number) {
    this.#start = now;
    this.root = this.folder('');
    this.#fill(this.root, sketch);
  }

  folder(name: string): Node {
    return {
      name,
      kind: 'folder',
      size: null,
      modified: this.#time(),
      precision: 'minute',
      permissions: 'rwxr-xr-x',
      target: null,
      children: new Map(),
    };
  }

  file(name: string, size: number): Node {
    return {
      name,
      kind: 'file',
      size,
      modified: this.#time(),
      precision: 'second',
      permissions: 'rw-r--r--',
      target: null,
      children: null,
    };
  }

  /** Adds `count` files to the folder at `path`, names mixed so that sorting has work to do. */
  addMany(path: string, count: number): void {
    const children = new Map<string, Node>();
    for (let i = 0; i < count; i += 1) {
      const mixed = (i * 7919) % count;
      const name = mixed % 97 === 0 ? `folder ${mixed}` : `IMG_${mixed}.jpg`;
      const node = mixed % 97 === 0 ? this.folder(name) : this.file(name, (mixed * 4099) % 9e6);
      node.modified = this.#start - mixed * 60_000;
      children.set(name, node);
    }
    this.find(path).children = children;
  }

  find(path: string): Node {
    let node = this.root;
    for (const part of path.split('/').filter(Boolean)) {
      const next = node.children?.get(part);
      if (!next) throw missing(path);
      node = next;
    }
    return node;
  }

  #fill(folder: Node, sketch: Sketch): void {
    for (const [name, value] of Object.entries(sketch)) {
      let node: Node;
      if (typeof value === 'number') node = this.file(name, value);
      else if (typeof value.link === 'string') {
        node = { ...this.file(name, 0), kind: 'link', size: null, target: value.link };
        node.permissions = 'rwxrwxrwx';
      } else {
        node = this.folder(name);
        this.#fill(node, value as Sketch);
      }
      folder.children?.set(name, node);
    }
  }

  #time(): number {
    this.#age += 1;
    return this.#start - ((this.#age * 37) % 900) * (DAY / 7);
  }
}

export function rowOf(node: Node, id: number): Row {
  const { name, kind, size, modified, precision, permissions, target } = node;
  return {
    id,
    name,
    kind,
    size,
    modified,
    precision,
    permissions,
    target,
    hidden: name.startsWith('.'),
  };
}

export function missing(path: string): AppError {
  return new AppError({
    code: 'not-found',
    message: `There is no folder ${path}.`,
    detail: `550 ${path}: No such file or directory`,
    retryable: false,
  });
}

export const LOCAL: Sketch = {
  home: {
    me: {
      '.config': { 'user-dirs.dirs': 633 },
      '.bashrc': 3771,
      Documents: { 'offer 2.pdf': 482_113, 'offer 10.pdf': 512_004, 'notes.md': 2_210 },
      Pictures: { 'harbour.jpg': 4_211_870, 'pier.jpg': 3_901_442 },
      site: {
        '.htaccess': 412,
        assets: { 'app.css': 18_244, 'app.js': 142_008, 'logo.svg': 2_913 },
        blog: { 'first-post.html': 9_120, 'second-post.html': 11_402 },
        images: { 'hero.avif': 181_233, 'team.avif': 240_117 },
        'index.html': 4_096,
        'imprint.html': 3_120,
        'chapter 1.html': 6_120,
        'chapter 2.html': 6_498,
        'chapter 10.html': 7_011,
        'robots.txt': 68,
        'sitemap.xml': 12_900,
        'Überblick.html': 5_555,
        'video.mp4': 1_073_741_824,
      },
    },
  },
  etc: { hosts: 221 },
};

export const REMOTE: Sketch = {
  'readme.txt': 812,
  'archive-100k': {},
  private: {},
  www: {
    css: { 'site.css': 18_244 },
    img: { 'logo.svg': 2_913, 'hero.jpg': 622_118 },
    'index.html': 4_012,
    'imprint.html': 3_120,
    latest: { link: 'releases/2.4' },
    '.htaccess': 412,
    'backup 9.tar.gz': 48_120_334,
    'backup 10.tar.gz': 51_004_120,
  },
};
