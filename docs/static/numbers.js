// SPDX-License-Identifier: Apache-2.0
/* The figures of the page "Numbers": each draws the choice of its select, in the colours of the page's theme. */
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--pst-color-${name}`).trim();

function themed(layout, narrow) {
    const ink = color('text-base'), line = color('border'), paper = color('surface'),
          axis = (own) => ({gridcolor: line, zerolinecolor: line, linecolor: line, ...own});
    return {
        height: 440,
        margin: {l: 56, r: 8, t: 8, b: 48},
        legend: {orientation: 'h', yanchor: 'bottom', y: 1.01, x: 0, traceorder: 'normal'},
        ...layout,
        xaxis: axis({automargin: true, ...layout.xaxis}),
        yaxis: axis({automargin: true, ...layout.yaxis}),
        paper_bgcolor: 'transparent',
        plot_bgcolor: 'transparent',
        font: {family: getComputedStyle(document.body).fontFamily, color: ink, size: narrow ? 11 : 13},
        hoverlabel: {bgcolor: paper, bordercolor: line, font: {color: ink}, align: 'left'}
    };
}

for (const box of document.querySelectorAll('.numbers')) {
    const figures = JSON.parse(box.querySelector('script').textContent), select = box.querySelector('select'),
          plot = box.querySelector('.plot');
    const draw = async () => {
        const {data, layout} = figures[select.value];
        await Plotly.react(plot, structuredClone(data), themed(structuredClone(layout), box.clientWidth < 500), {
            responsive: true,
            displayModeBar: false
        });
        box.dataset.drawn = select.value;
    };
    select.addEventListener('change', draw);
    new MutationObserver(draw).observe(document.documentElement, {attributeFilter: ['data-theme']});
    draw();
}
