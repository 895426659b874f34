"""The documentation site: README, results and the notebooks as chapters, as they are stored.

Nothing is executed or fetched; the demonstration is built where its compiler is.

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
from typing import Any

import jinja2
import yaml
from interactive import EXACT, interactive, table, write_script

ROOT = Path(__file__).resolve().parent.parent
PARTS = {'Primitives': '0[0-4]*', 'Training and analysis': '0[5-9]*', 'File, engine, board, browser': '1[0-3]*',
         'Reproduction': '1[4-9]*'}
PAGES = ('try', 'numbers', 'checklist')   # of docs/pages
READ = {'README.md': 'index.md', 'RESULTS.md': 'results.md', 'firmware/README.md': 'firmware.md'}
HERE = READ | {'nbs/results.ipynb': 'results.md', 'nbs/index.ipynb': 'index.md'} | {f'{n}.md': f'{n}.md' for n in PAGES}
MAKES = re.compile(r"save_figure\(.*\bp, '(\w+)'\)")   # a cell that draws this figure


def settings() -> dict[str, str]:
    c = ConfigParser()
    c.read(ROOT/'settings.ini')
    return dict(c['DEFAULT'])


# ---- pages ----

def links(text: str, here: str) -> str:
    """Markdown `text` of the folder `here` with links that hold on the site:
    chapters, figures and records there, all else in the repository.
    """
    where, blocks = settings(), re.split(r'(^```.*?^```$)', text, flags=re.M | re.S)
    def one(m: re.Match) -> str:
        target, _, anchor = m[2].partition('#')
        if not target or re.match(r'[a-z]+:', target): return m[0]
        path = os.path.normpath(os.path.join(here, target))
        name = HERE.get(path)
        if name is None and re.fullmatch(r'nbs/\w+\.ipynb', path): name = path.removeprefix('nbs/')
        if name is None and re.fullmatch(r'figures/.*\.png|data/(results|paper)/.*\.(csv|json)', path): name = path
        if name is None: name = f"{where['git_url']}/tree/{where['branch']}/{path}"
        return f"{m[1]}{name}{'#' + anchor if anchor else ''}{m[3]}"
    return ''.join(b if b.startswith('```') else re.sub(r'(\]\()([^)\s]+)(\))', one, b) for b in blocks)


def captions(text: str, makers: dict[str, str]) -> str:
    "Markdown `text` whose pictures have captions that link to the cell of a chapter (`makers`) which makes them."
    def one(m: re.Match) -> str:
        alt, file, name = m.groups()
        more = f', [exact values](#exact-{EXACT[name]})' if name in EXACT else ''
        return (f'```{{figure}} {file}\n:alt: {alt}\n\n{alt} ([the cell in {makers[name]}](#figure-{name}){more})\n```')
    return re.sub(r'^\[?!\[(.*?)\]\((figures/(?:[\w-]+/)?(\w+)\.png)\)(?:\]\([^)]*\))?$', one, text, flags=re.M)


def chapter(path: Path) -> dict:
    "The notebook without what readers do not need: hidden cells, directives, code that only makes a picture."
    nb = json.loads(path.read_text(encoding='utf-8'))
    cells = []
    def say(text: str, of: str) -> None: cells.append(dict(cell_type='markdown', id=of, metadata={}, source=text))
    for c in nb['cells']:
        source = ''.join(c['source'])
        if c['cell_type'] == 'markdown': source = links(source, 'nbs')
        directives = re.findall(r'^#\|\s*(.+?)\s*$', source, flags=re.M) if c['cell_type'] == 'code' else []
        if 'hide' in directives or any(d.startswith('default_exp') for d in directives): continue
        if directives: source = re.sub(r'^#\|.*\n?', '', source, flags=re.M)
        if {'echo: false', 'hide_input'} & set(directives):
            c['metadata']['tags'] = [*c['metadata'].get('tags', []), 'hide-input']
        made = MAKES.findall(source) if c['cell_type'] == 'code' else []
        if made: say('\n'.join(f'(figure-{name})=' for name in made), f"{c['id']}-target")
        if source.strip(): cells.append(c | {'source': source})
        for name in EXACT.keys() & set(made):
            say(f'*[Exact values](#exact-{EXACT[name]}), for every profile*', f"{c['id']}-exact")
    return nb | {'cells': cells}


def provenance() -> dict[str, str]:
    "Where the main model's pretrained weights are from, as its checkpoint says."
    with (ROOT/'data'/'models'/'imagenette128-small'/'teacher.safetensors').open('rb') as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), 'little')))
    return json.loads(header['__metadata__']['ftervit'])['provenance']


def page(name: str, **more: Any) -> str:
    "A page of docs/pages, its numbers read from the records."
    record = lambda file: json.loads((ROOT/'data'/file).read_text(encoding='utf-8'))
    pins = (ROOT/'requirements.lock').read_text(encoding='utf-8')
    facts = dict(record=record, table=table, figure=interactive, provenance=provenance(),
                 licence=yaml.safe_load((ROOT/'CITATION.cff').read_text(encoding='utf-8'))['license'],
                 pinned=len(re.findall(r'^[\w.\[\]-]+==', pins, flags=re.M)),
                 models=sum(f.suffix in ('.gguf', '.safetensors') for f in (ROOT/'data'/'models').rglob('*')),
                 made=sum(len(record(f)) for f in (ROOT/'data'/'results').glob('*/made_by.json')))
    filled = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)
    text = (ROOT/'docs'/'pages'/f'{name}.md').read_text(encoding='utf-8')
    return links(filled.from_string(text).render(facts | more), '.')


def front(text: str) -> str:
    "The front page: README, with the way to what only the site has behind its first paragraphs."
    title, what, rest = text.split('\n\n', 2)
    way = ('**[Try it](try.md)** in your browser; read [exact values](numbers.md) off the figures; all tables are in '
           '[results](results.md), and a [checklist](checklist.md) says how each can be had again.')
    return '\n\n'.join([title, what, way, rest])


def demo(out: Path) -> str:
    "Build the page of `13c_browser` in `out` with the project's own environment; why it cannot be, empty where it was."
    python = ROOT/'.venv'/'bin'/'python'
    if not python.is_file(): return 'the project itself is not installed here (`make test` does it)'
    done = subprocess.run([python, '-m', 'ftervit.web', '--out', out, '--single', out/'ftervit.html'], cwd=ROOT,
                          capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': str(ROOT)})
    if done.returncode == 0: return ''
    lines = (done.stderr or done.stdout).strip().splitlines()
    return next((l.removeprefix('ftervit-web: ') for l in lines if l.startswith('ftervit-web: ')), lines[-1])


# ---- links ----

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
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].anchors):
                dead.append(f'{page.name}: {t}')
    return dead


# ---- the site ----

def sources(out: Path, without_demo: str) -> None:
    "What Sphinx reads: pages, chapters, figures, records, JavaScript."
    shutil.copy(ROOT/'docs'/'conf.py', out)
    shutil.copytree(ROOT/'docs'/'static', out/'static')
    write_script(out/'static')
    shutil.copytree(ROOT/'figures', out/'figures')
    for name in ('results', 'paper'):   # tables.md and README.md there are no pages of the site
        shutil.copytree(ROOT/'data'/name, out/'data'/name, ignore=shutil.ignore_patterns('*.md'))
    chapters = sorted((ROOT/'nbs').glob('[0-9]*.ipynb'))
    for f in chapters: (out/f.name).write_text(json.dumps(chapter(f), ensure_ascii=False), encoding='utf-8')
    makers = {name: f.stem for f in chapters for name in MAKES.findall(f.read_text(encoding='utf-8'))}
    for source, to in READ.items():
        text = captions(links((ROOT/source).read_text(encoding='utf-8'), os.path.dirname(source)), makers)
        (out/to).write_text(front(text) if to == 'index.md' else text, encoding='utf-8')
    for name in PAGES: (out/f'{name}.md').write_text(page(name, demo=without_demo), encoding='utf-8')
    with (out/'index.md').open('a', encoding='utf-8') as f:
        f.write('\n```{toctree}\n:hidden:\n\ntry\nresults\nnumbers\nchecklist\n```\n')
        for title, pattern in PARTS.items():
            names = [c.stem for c in chapters if c.match(pattern)] + (['firmware'] if pattern == '1[0-3]*' else [])
            f.write(f'\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n' + '\n'.join(names) + '\n```\n')


def build(out: Path) -> int:
    "Pages on the site. Raises `SystemExit` for a dead link, or with what Sphinx says."
    with tempfile.TemporaryDirectory() as d, tempfile.TemporaryDirectory() as built:
        site, shown = Path(built)/'html', Path(built)/'demo'
        if why := demo(shown): print(f'without the demonstration: {why}')
        sources(Path(d), why)
        sphinx = [sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going', '-b', 'html', d, site]
        if code := subprocess.call(sphinx): raise SystemExit(code)
        if not why: shutil.move(shown, site)
        shutil.rmtree(out, ignore_errors=True)
        shutil.move(site, out)   # only a whole site takes the old one's place
    if dead := dead_links(out): raise SystemExit('links to nothing:\n' + '\n'.join(dead))
    return len(list(out.glob('*.html')))


if __name__ == '__main__':
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT/'_docs'
    print(f'{build(folder)} pages: {folder/"index.html"}')
