"""The documentation site: README, results and the notebooks as chapters, as they are stored; nothing is executed, nothing is fetched.

    python docs/build.py [folder]    default: _docs
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from configparser import ConfigParser
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = {'Primitives': '0[0-4]*', 'Training and analysis': '0[5-9]*', 'File, engine, board, browser': '1[0-3]*', 'Reproduction': '1[4-9]*'}


def settings() -> dict[str, str]:
    c = ConfigParser()
    c.read(ROOT/'settings.ini')
    return dict(c['DEFAULT'])


def links(text: str, here: str) -> str:
    "Markdown `text` of the folder `here` with links that hold on the site: chapters and figures there, all else in the repository."
    where, blocks = settings(), re.split(r'(^```.*?^```$)', text, flags=re.M | re.S)
    def one(m: re.Match) -> str:
        target, _, anchor = m[2].partition('#')
        if not target or re.match(r'[a-z]+:', target): return m[0]
        path = os.path.normpath(os.path.join(here, target))
        name = {'README.md': 'index.md', 'RESULTS.md': 'results.md', 'nbs/results.ipynb': 'results.md', 'nbs/index.ipynb': 'index.md', 'firmware/README.md': 'firmware.md'}.get(path)
        if name is None and re.fullmatch(r'nbs/\w+\.ipynb', path): name = path.removeprefix('nbs/')
        if name is None and path.startswith('figures/') and path.endswith('.png'): name = path
        if name is None: name = f"{where['git_url']}/tree/{where['branch']}/{path}"
        return f"{m[1]}{name}{'#' + anchor if anchor else ''}{m[3]}"
    return ''.join(b if b.startswith('```') else re.sub(r'(\]\()([^)\s]+)(\))', one, b) for b in blocks)


def chapter(path: Path) -> dict:
    "The notebook without what readers do not need: hidden cells, directives, code that only makes a picture."
    nb = json.loads(path.read_text(encoding='utf-8'))
    cells = []
    for c in nb['cells']:
        source = ''.join(c['source'])
        if c['cell_type'] == 'markdown': source = links(source, 'nbs')
        directives = re.findall(r'^#\|\s*(.+?)\s*$', source, flags=re.M) if c['cell_type'] == 'code' else []
        if 'hide' in directives or any(d.startswith('default_exp') for d in directives): continue
        if directives: source = re.sub(r'^#\|.*\n?', '', source, flags=re.M)
        if {'echo: false', 'hide_input'} & set(directives): c['metadata']['tags'] = [*c['metadata'].get('tags', []), 'hide-input']
        if source.strip(): cells.append(c | {'source': source})
    return nb | {'cells': cells}


class Links(HTMLParser):
    "Targets and anchors of a page."
    def __init__(self, text: str):
        super().__init__()
        self.targets, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        self.anchors |= {a[k] for k in ('id', 'name') if a.get(k)}
        self.targets += [a[k] for k in ('href', 'src') if a.get(k)]


def dead_links(site: Path) -> list[str]:
    "Links of the site's pages to files or anchors of the site that are not there."
    pages = {p: Links(p.read_text(encoding='utf-8')) for p in site.rglob('*.html') if '_static' not in p.parts}
    dead = []
    for page, found in pages.items():
        for t in found.targets:
            if re.match(r'[a-z]+:|//', t): continue
            path, _, anchor = t.partition('#')
            target = (page.parent/path.split('?')[0]).resolve() if path else page
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].anchors): dead.append(f'{page.name}: {t}')
    return dead


def build(out: Path) -> int:
    "Pages on the site. Raises `SystemExit` for a dead link, or with what Sphinx says."
    with tempfile.TemporaryDirectory() as d, tempfile.TemporaryDirectory() as built:
        source = Path(d)
        shutil.copy(ROOT/'docs'/'conf.py', source)
        for page, to, here in (('README.md', 'index.md', '.'), ('RESULTS.md', 'results.md', '.'), ('firmware/README.md', 'firmware.md', 'firmware')):
            (source/to).write_text(links((ROOT/page).read_text(encoding='utf-8'), here), encoding='utf-8')
        chapters = sorted((ROOT/'nbs').glob('[0-9]*.ipynb'))
        for f in chapters: (source/f.name).write_text(json.dumps(chapter(f), ensure_ascii=False), encoding='utf-8')
        shutil.copytree(ROOT/'figures', source/'figures')
        with (source/'index.md').open('a', encoding='utf-8') as f:
            f.write('\n```{toctree}\n:hidden:\n\nresults\n```\n')
            for title, pattern in PARTS.items():
                names = [c.stem for c in chapters if c.match(pattern)] + (['firmware'] if pattern == '1[0-3]*' else [])
                f.write(f'\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n' + '\n'.join(names) + '\n```\n')
        if code := subprocess.call([sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going', '-b', 'html', d, f'{built}/html']): raise SystemExit(code)
        shutil.rmtree(out, ignore_errors=True)
        shutil.move(f'{built}/html', out)   # only a whole site takes the old one's place
    if dead := dead_links(out): raise SystemExit('links to nothing:\n' + '\n'.join(dead))
    return len(list(out.glob('*.html')))


if __name__ == '__main__':
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT/'_docs'
    print(f'{build(folder)} pages: {folder/"index.html"}')
