"""Figures with exact values on hover, of the recorded files that the PNG figures of the chapters are drawn from.

Plotly, because it has what these figures need without code of ours (error bars, legends that hide a curve, hover),
draws SVG, and its package brings the one JavaScript file (4.8 MB, 1.5 compressed, for this page alone).
"""
import csv
import json
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from statistics import mean, stdev
from textwrap import wrap
from typing import Any, NamedTuple

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

DATA = Path(__file__).resolve().parent.parent/'data'
Row = dict[str, Any]
LOG = dict(type='log', tickvals=[m*10.0**e for e in range(-4, 4) for m in (1, 2, 5)])   # an axis
Drawn = tuple[go.Figure, list[str]]   # a figure, and the files below data/ that it shows
PROFILES = {'ViT-Small, Imagenette at 112': 'imagenette128-small', 'Imagenette-128': 'imagenette128-cpu',
            'CIFAR-10 (JPEG)': 'cifar10jpeg-cpu', 'digits': 'digits'}
BLUE, RED, YELLOW, GREEN, PINK, LIGHT, GREY = '#0072B2 #D55E00 #E69F00 #009E73 #CC79A7 #56B4E9 #7F7F7F'.split()


# ---- tables ----

def number(text: str) -> float | str | None:
    "A cell of a table: a number where it is one, None where it is empty."
    try:
        return float(text) if text else None
    except ValueError:
        return text


def table(file: str) -> list[Row]:
    "Rows of a CSV file below data/."
    with (DATA/file).open(encoding='utf-8') as f:
        return [{k: number(v) for k, v in r.items()} for r in csv.DictReader(f)]


def groups(rows: Iterable[Row], *keys: str) -> dict[Any, list[Row]]:
    "Rows by the value of a key, or the values of several, in their order."
    found: dict[Any, list[Row]] = {}
    for r in rows:
        found.setdefault(r[keys[0]] if len(keys) == 1 else tuple(r[k] for k in keys), []).append(r)
    return found


# ---- traces ----

def says(head: str, *facts: tuple[str, Any, str]) -> str:
    "What hovering shows: a line for each (name, value, unit) that has a value, as it is recorded."
    shown = lambda v: f'{v:g}' if isinstance(v, float) else v
    lines = [f'{name}: {shown(value)} {unit}'.strip() for name, value, unit in facts if value is not None]
    return '<br>'.join([f'<b>{head}</b>', *lines])


def trace(rows: list[Row], x: str, y: str, name: str, color: str, **more: Any) -> go.Scatter:
    "Points of `rows`, which say their own `hover`."
    return go.Scatter(x=[r[x] for r in rows], y=[r[y] for r in rows], customdata=[r['hover'] for r in rows], name=name,
                      hovertemplate='%{customdata}<extra></extra>', marker_color=color, **{'mode': 'markers'} | more)


def bars(rows: list[Row], spread: str) -> dict[str, Any]:
    "Error bars of the column `spread`, if any row has one."
    return dict(array=[r[spread] or 0 for r in rows], visible=any(r[spread] for r in rows))


def level(name: str, value: float, x: list[float]) -> go.Scatter:
    "A dashed line at `value` over the range of `x`."
    ends = [dict(x=e, value=value, hover=says(name, ('top-1', value, '%'))) for e in (min(x), max(x))]
    return trace(ends, 'x', 'value', name, BLUE, mode='lines', line=dict(dash='dash', color=BLUE))


def figure(traces: list[Any], x: str, y: str, **layout: Any) -> go.Figure:
    "A figure without colours of its own: the page's theme gives them."
    fig = go.Figure(traces, go.Layout(template='none', **layout))
    return fig.update_xaxes(title_text=x).update_yaxes(title_text=y)


# ---- size against accuracy, and every method ----

def kind(r: Row) -> tuple[str, str]:
    "What of a network is quantised, and a colour for it."
    if r['method'] == 'fp32': return 'FP32', BLUE
    if r['weights_activations'] == '8/8': return '8 bits, post-training', GREEN
    if r['patch_head_norm'] != '2/2/2': return 'ternary encoder', LIGHT
    ours = r['method'] in ('ftervit', 'ftervit-lean', 'recipe')
    return ('fully ternary, FTerViT', RED) if ours else ('fully ternary, others', PINK)


HOVER = (('top-1', 'top1_percent', '%'), ('± over seeds', 'top1_std', 'pp'), ('size', 'size_mb', 'MB'),
         ('gap to the teacher', 'gap_pp', 'pp'), ('± 2σ', 'gap_2sigma_pp', 'pp'),
         ('agrees with the teacher', 'agreement_percent', '%'), ('KL', 'kl', 'nats'), ('seeds', 'seeds', ''))


def trained(profile: str) -> tuple[str, list[Row]]:
    "The methods of a profile, smallest first, and the file that they are from."
    file = f'results/{profile}/methods.csv'
    rows = sorted(table(file), key=lambda r: r['size_mb'])
    for r in rows:
        r['kind'], r['name'] = kind(r), '<br>'.join(wrap(r['label'], 22, break_on_hyphens=False))
        r['hover'] = says(r['label'], *((name, r[column], unit) for name, column, unit in HOVER))
    return file, rows


def sizes(profile: str) -> Drawn:
    "Top-1 and size of every method of a profile; bars are one standard deviation over seeds, where there are several."
    file, rows = trained(profile)
    traces = [trace(rs, 'size_mb', 'top1_percent', *k, marker_size=11, error_y=bars(rs, 'top1_std'))
              for k, rs in groups(rows, 'kind').items()]
    return figure(traces, 'size, MB', 'top-1, %', xaxis=LOG), [file]


def methods(profile: str) -> Drawn:
    "Top-1 gap to the teacher of every method, with 2 sigma."
    file, rows = trained(profile)
    traces = [trace(rs, 'gap_pp', 'name', *k, marker_size=9, error_x=bars(rs, 'gap_2sigma_pp'))
              for k, rs in groups(rows, 'kind').items()]
    order = dict(categoryorder='array', categoryarray=[r['name'] for r in rows], automargin=True)
    return figure(traces, 'gap to the teacher, pp (± 2σ)', '', height=260 + 34*len(rows), yaxis=order), [file]


def published_sizes(_: str) -> Drawn:
    "Top-1 on ImageNet and size of every network for which a paper prints both."
    files = ['paper/results.csv', 'paper/tervit.csv', 'paper/others.csv']
    ours, tervit, others = map(table, files)
    names = {'fp32': 'FP32', 'twn': 'TWN', 'tervit': 'TerViT'}
    rows = [r | {'method': 'FTerViT'} for r in ours if r['dataset'] == 'imagenet1k' and r['phase'] == 2]
    rows += [r | {'method': names.get(r['method'], r['method'])} for r in tervit]
    rows += [r for r in others if r['method'] != 'TerViT']   # quoted from its own table
    rows = [r for r in rows if r['size_mb'] and r['top1_percent']]
    for r in rows:
        r['hover'] = says(f"{r['method']} {r['model']}", ('top-1', r['top1_percent'], '%'),
                          ('size', r['size_mb'], 'MB'), ('source', r['source'], ''))
    look = {'FTerViT': (RED, 'star'), 'TerViT': (GREEN, 'square'), 'TWN': (PINK, 'cross'), 'FP32': (BLUE, 'circle')}
    traces = [trace(rs, 'size_mb', 'top1_percent', m, look.get(m, (GREY,))[0], marker_size=11,
                    marker_symbol=look.get(m, ('', 'diamond'))[1]) for m, rs in groups(rows, 'method').items()]
    return figure(traces, 'size, MB', 'top-1, %', xaxis=LOG), files


# ---- phases and restarts ----

def curve(rows: list[Row], column: str, unit: str, name: str, color: str, after: float = 0) -> go.Scatter:
    "Mean over seeds of `column` by epoch; hovering names every seed."
    points = []
    for epoch, rs in groups(rows, 'epoch').items():
        seeds = [(f"seed {r['seed']:g}", r[column], unit) for r in rs] if len(rs) > 1 else []
        value = mean(r[column] for r in rs)
        points.append(dict(epoch=epoch + after, value=value,
                           hover=says(f'{name}, epoch {epoch + after:g}', ('mean', value, unit), *seeds)))
    return trace(points, 'epoch', 'value', name, color, mode='lines+markers', line_color=color, marker_size=5)


def recipes(column: str, unit: str) -> Drawn:
    "Five recipes of the main model by epoch of phase 1, on held-out training images."
    file = 'results/imagenette128-small/histories.csv'
    cells = groups((r for r in table(file) if r['phase'] == 'phase1'), 'cell')
    names = {'recipe': ('logits and blocks', RED), 'ftervit-lean': ('FTerViT-lean', YELLOW),
             'ftervit': ('FTerViT', BLUE), 'twn-full': ('TWN, fully ternary', PINK),
             'tervit-full': ('TerViT, fully ternary', GREEN)}
    traces = [curve(cells[c], column, unit, *names[c]) for c in names]
    return curves(traces, unit, 'held-out top-1, %', 'KL from the teacher, nats'), [file]


def phases(choice: str) -> Drawn:
    "Phase 1 by epoch, phase 2 from each of the epochs that it was started from, and the teacher's last epoch."
    profile, column = choice.split('/')
    unit = '%' if column.endswith('percent') else 'nats'
    if profile == 'imagenette128-small': return recipes(column, unit)
    file = f'results/{profile}/history.csv'
    of = groups(table(file), 'phase')
    first, taught = of.pop('phase1'), of.pop('teacher', [])
    last = max(r['epoch'] for r in first)
    traces = [curve(first, column, unit, 'phase 1', YELLOW)]
    for name, rows in of.items():   # 'student', or the epoch behind the name
        start = last if name == 'student' else float(name.rsplit('_', 1)[1])
        begin = [r | {'epoch': 0.0} for r in first if r['epoch'] == start]
        traces.append(curve(begin + rows, column, unit, f'phase 2 from epoch {start:g}', RED, after=start))
    if taught and unit == '%':
        end = mean(r[column] for r in taught if r['epoch'] == max(t['epoch'] for t in taught))
        traces.append(level('FP32 teacher', end, [r['epoch'] for r in first]))
    return curves(traces, unit, 'top-1 after the epoch, %', 'KL(teacher || student) while training, nats'), [file]


def curves(traces: list[go.Scatter], unit: str, percent: str, nats: str) -> go.Figure:
    "Curves by epoch; a loss on a logarithmic axis."
    return figure(traces, 'epoch', percent if unit == '%' else nats, yaxis={} if unit == '%' else LOG)


def restarts(profile: str) -> Drawn:
    "Top-1 before and after phase 2, by the phase-1 epoch that it starts from; bars: one standard deviation over seeds."
    file, taught = f'results/{profile}/restarts.csv', f'results/{profile}/training.csv'
    starts, traces = groups(table(file), 'phase1_epoch'), []
    for column, name, color in (('before_percent', 'phase 1, at this epoch', YELLOW),
                                ('top1_percent', 'after phase 2 from there', RED)):
        points = []
        for epoch, rs in starts.items():
            v = [r[column] for r in rs]
            std = stdev(v) if len(v) > 1 else None
            points.append(dict(epoch=epoch, value=mean(v), std=std, hover=says(
                f'{name}, {epoch:g}', ('top-1', mean(v), '%'), ('± over seeds', std, 'pp'), ('seeds', len(v), ''))))
        traces.append(trace(points, 'epoch', 'value', name, color, mode='lines+markers', line_color=color,
                            marker_size=9, error_y=bars(points, 'std')))
    teachers = [r['top1_percent'] for r in table(taught) if r['stage'] == 'teacher']
    traces.append(level('FP32 teacher', mean(teachers), list(starts)))
    return figure(traces, 'phase-1 epoch that phase 2 starts from', 'top-1 on the test images, %'), [file, taught]


def published_restarts(_: str) -> Drawn:
    "What the paper prints of the same: DeiT-III-Small on ImageNet."
    file = 'paper/restarts.csv'
    rows = [r for r in table(file) if r['top1_percent']]
    for r in rows:
        r['hover'] = says(f"{r['model']}, phase 2 from epoch {r['phase1_epochs']:g}", ('top-1', r['top1_percent'], '%'),
                          ('source', r['source'], ''))
    traces = [trace(rows, 'phase1_epochs', 'top1_percent', 'after phase 2 from there', RED, marker_size=9)]
    return figure(traces, 'phase-1 epoch that phase 2 starts from', 'top-1 on ImageNet, %', showlegend=True), [file]


# ---- bytes ----

STORED = {'ftervit': 'fully ternary', 'partial': 'partial W2', 'fp32': 'FP32'}
PARTS = {'encoder': BLUE, 'head': LIGHT, 'patch embedding': YELLOW, 'LayerNorm': RED, 'embeddings': GREEN,
         'biases': PINK}


def stored(model: str) -> Drawn:
    "Shares of the bytes of a model's components, under three rules of storage."
    file = 'results/digits/bytes.csv'
    rows = [r for r in table(file) if r['model'] == model]
    total = {m: sum(r['bytes'] for r in rs) for m, rs in groups(rows, 'method').items()}
    labels = {m: f'{STORED[m]}<br>{total[m]/1e6:.3g} MB' for m in STORED}
    for r in rows:
        r['label'] = labels[r['method']]
        r['hover'] = says(f"{r['component']}, {STORED[r['method']]}", ('bytes', f"{r['bytes']:,.0f}", ''),
                          ('share', r['share_percent'], '%'), ('parameters', f"{r['parameters']:,.0f}", ''),
                          ('bits', r['bits'], ''))
    traces = [go.Bar(x=[r['share_percent'] for r in rs], y=[r['label'] for r in rs], orientation='h', name=part,
                     customdata=[r['hover'] for r in rs], hovertemplate='%{customdata}<extra></extra>',
                     marker_color=PARTS.get(part, GREY)) for part, rs in groups(rows, 'component').items()]
    order = dict(categoryorder='array', categoryarray=list(labels.values()), automargin=True)
    return figure(traces, 'share of the bytes, %', '', barmode='stack', height=400, yaxis=order), [file]


# ---- the page ----

class Figure(NamedTuple):
    "A figure of the page: how each of its choices is drawn, and the PNGs in chapters that show the same."
    choices: dict[str, tuple[Callable[[str], Drawn], str]]
    pngs: tuple[str, ...]


def of(draw: Callable[[str], Drawn], choices: dict[str, str]) -> dict[str, tuple[Callable[[str], Drawn], str]]:
    return {label: (draw, choice) for label, choice in choices.items()}


LOSS = {p: 'val_kl' if p == 'imagenette128-small' else 'train_loss' for p in PROFILES.values()}
CURVES = {f'{label}: {what}': f'{p}/{column}' for label, p in PROFILES.items()
          for what, column in (('top-1', 'val_top1_percent'), ('KL', LOSS[p]))}
RESTARTED = {label: p for label, p in reversed(PROFILES.items()) if p != 'imagenette128-small'}
ON_IMAGENET = 'published, ImageNet'
FIGURES = {'sizes': Figure(of(sizes, PROFILES) | {ON_IMAGENET: (published_sizes, '')}, ('accuracy_size',)),
           'phases': Figure(of(phases, CURVES), ('training', 'main_model')),
           'restarts': Figure(of(restarts, RESTARTED) | {ON_IMAGENET: (published_restarts, '')}, ('restarts',)),
           'methods': Figure(of(methods, PROFILES), ('methods',)),
           'bytes': Figure(of(stored, {m: m for m in ('DeiT-Tiny', 'DeiT-III-Small')}), ('bytes',))}
EXACT = {png: name for name, f in FIGURES.items() for png in f.pngs}   # PNG -> the figure with its exact values


def interactive(name: str) -> str:
    "A figure of FIGURES in MyST Markdown: a choice, the figure, its files, the cells that draw its PNGs."
    drawn = {label: draw(choice) for label, (draw, choice) in FIGURES[name].choices.items()}
    data = json.dumps({label: json.loads(fig.to_json()) for label, (fig, _) in drawn.items()}).replace('</', r'<\/')
    options = ''.join(f'<option>{escape(label)}</option>' for label in drawn)
    files = dict.fromkeys(f for _, used in drawn.values() for f in used)
    return (f'```{{raw}} html\n<div class="numbers" id="plot-{name}"><label>Shown: <select>{options}</select></label>\n'
            f'<div class="plot"></div><noscript>Needs JavaScript; the picture in the chapter does not.</noscript>\n'
            f'<script type="application/json">{data}</script></div>\n```\n\n'
            f"From {', '.join(f'[{f}](data/{f})' for f in files)}; as a picture, with its cell: "
            f"{', '.join(f'[{png}](#figure-{png})' for png in FIGURES[name].pngs)}.")


def write_script(folder: Path) -> None:
    "Plotly's JavaScript, as its package brings it."
    (folder/'plotly.min.js').write_text(get_plotlyjs(), encoding='utf-8')
