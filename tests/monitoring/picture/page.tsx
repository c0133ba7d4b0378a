// Draws a dashboard with Grafana's own panels (@grafana/ui) out of what Prometheus answered; no Grafana server is needed.
// `window.SHOWN` has the dashboard and the answers; tests/monitoring/picture writes it.
import React, { useLayoutEffect } from 'react';
import { createRoot } from 'react-dom/client';
import { of, firstValueFrom } from 'rxjs';
import {
  applyFieldOverrides,
  createTheme,
  dateTime,
  dateTimeFormat,
  fieldReducers,
  FieldType,
  getFieldDisplayName,
  getFieldDisplayValues,
  renderLegendFormat,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  ThemeContext,
  toDataFrame,
  transformDataFrame,
} from '@grafana/data';
import { BigValue, GlobalStyles, PanelChrome, Table, TimeSeries } from '@grafana/ui';

const { dashboard, answers, annotations, start, end, step } = (window as any).SHOWN;
const theme = createTheme({ colors: { mode: 'dark' } });
const timeRange = { from: dateTime(start * 1000), to: dateTime(end * 1000), raw: { from: 'now-1h', to: 'now' } };
const WIDTH = 1800;
const GAP = 8;
const COLUMN = (WIDTH - 3 * GAP) / 24;
const LINE = 38;
const HEAD = 56;

// What a panel's field configuration may say. In Grafana each panel's plug-in registers its own.
const STANDARD = ['unit', 'min', 'max', 'decimals', 'displayName', 'color', 'thresholds', 'mappings', 'noValue', 'links'];
const CUSTOM: Record<string, unknown> = {
  drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, gradientMode: 'none', lineStyle: undefined,
  showPoints: 'auto', pointSize: 5, spanNulls: false, stacking: { mode: 'none', group: 'A' }, axisPlacement: 'auto',
  axisLabel: '', scaleDistribution: { type: 'linear' }, thresholdsStyle: { mode: 'off' }, barAlignment: 0,
  axisBorderShow: false, axisGridShow: undefined, hideFrom: { tooltip: false, viz: false, legend: false },
  align: 'auto', cellOptions: { type: 'auto' }, width: undefined, filterable: false, inspect: false,
};
const property = (id: string, isCustom: boolean, otherwise?: unknown) => ({
  id: isCustom ? `custom.${id}` : id, path: id, name: id, isCustom, shouldApply: () => true,
  process: (value: unknown) => value ?? otherwise,
});
standardFieldConfigEditorRegistry.setInit(() => [
  ...STANDARD.map((id) => property(id, false)),
  ...Object.entries(CUSTOM).map(([id, otherwise]) => property(id, true, otherwise)),
] as any);
standardTransformersRegistry.setInit(() =>
  [standardTransformers.organizeFieldsTransformer, standardTransformers.mergeTransformer].map((one: any) => ({
    id: one.id, name: one.name, transformation: one,
  })) as any
);

// Prometheus' answers as the data frames that Grafana's data source makes of them.
function framesOf(panel: any) {
  return panel.targets.flatMap((target: any) => {
    const found = answers[panel.id][target.refId];
    if (target.format === 'table') {
      return found.length ? [table(panel, target, found)] : [];
    }
    return found.map(({ metric, values, value }: any) => {
      const points = values ? withGaps(values) : [value];
      const { __name__, ...labels } = metric;
      const name = target.legendFormat ? renderLegendFormat(target.legendFormat, metric) : undefined;
      return toDataFrame({
        refId: target.refId,
        fields: [
          { name: 'Time', type: FieldType.time, values: points.map((one: any) => one[0] * 1000), config: { interval: step * 1000 } },
          { name: 'Value', type: FieldType.number, labels, values: points.map((one: any) => (one[1] === null ? null : Number(one[1]))), config: { displayNameFromDS: name } },
        ],
      });
    });
  });
}

// A null where a step has no sample, so that no line bridges it.
function withGaps(values: any[]) {
  return values.flatMap(([at, value]: any, index: number) =>
    index && at - values[index - 1][0] > step * 1.5 ? [[values[index - 1][0] + step, null], [at, value]] : [[at, value]]
  );
}

function table(panel: any, target: any, found: any[]) {
  const labels = [...new Set(found.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const name = panel.targets.length > 1 ? `Value #${target.refId}` : 'Value';
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: found.map(({ value }) => value[0] * 1000) },
      ...labels.map((label) => ({ name: label, type: FieldType.string, values: found.map(({ metric }) => metric[label] ?? '') })),
      { name, type: FieldType.number, values: found.map(({ value }) => Number(value[1])) },
    ],
  });
}

async function dataOf(panel: any) {
  const context = { interpolate: (text: string) => text };
  const frames = await firstValueFrom(transformDataFrame(panel.transformations ?? [], framesOf(panel), context));
  return applyFieldOverrides({
    data: frames, fieldConfig: panel.fieldConfig, replaceVariables: (text) => text, theme, timeZone: 'utc',
    fieldConfigRegistry: standardFieldConfigEditorRegistry,
  });
}

function Annotations({ config }: any) {
  useLayoutEffect(() => {
    config.addHook('draw', (plot: any) => {
      plot.ctx.save();
      plot.ctx.strokeStyle = theme.visualization.getColorByName('purple');
      plot.ctx.setLineDash([4, 4]);
      for (const at of annotations) {
        const x = Math.round(plot.valToPos(at, 'x', true));
        plot.ctx.beginPath();
        plot.ctx.moveTo(x, plot.bbox.top);
        plot.ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
        plot.ctx.stroke();
      }
      plot.ctx.restore();
    });
  }, [config]);
  return null;
}

// Grafana's state timeline is no part of @grafana/ui: its bars, with the texts and colours of the value mappings.
function Timeline({ data, width, height }: any) {
  const rows = data.map((frame: any) => {
    const [time, value] = frame.fields;
    const bars: any[] = [];
    time.values.forEach((at: number, index: number) => {
      if (value.values[index] === null) {
        return;
      }
      const shown = value.display(value.values[index]);
      const last = bars[bars.length - 1];
      if (last && last.text === shown.text && at - last.to < step * 1500) {
        last.to = at;
      } else {
        bars.push({ from: last && at - last.to < step * 1500 ? last.to : at, to: at, text: shown.text, color: shown.color });
      }
    });
    return { name: getFieldDisplayName(value, frame, data), bars };
  });
  const left = 130;
  const axis = 22;
  const x = (at: number) => left + ((at / 1000 - start) / (end - start)) * (width - left - 10);
  const line = Math.min(70, (height - axis) / Math.max(1, rows.length));
  const ticks = [...Array(6).keys()].map((one) => (start + ((one + 0.5) / 6) * (end - start)) * 1000);
  return (
    <svg width={width} height={height} fontSize={12} fill={theme.colors.text.primary}>
      {rows.map(({ name, bars }: any, index: number) => (
        <g key={name}>
          <text x={left - 8} y={(index + 0.5) * line + 4} textAnchor="end">{name}</text>
          {bars.map(({ from, to, text, color }: any) => (
            <g key={from}>
              <rect x={x(from)} width={Math.max(1, x(to) - x(from))} y={index * line + line * 0.08} height={line * 0.84} fill={color} fillOpacity={0.8} />
              {x(to) - x(from) > 8 * text.length && <text x={x(from) + 6} y={(index + 0.5) * line + 4} fill="#111217">{text}</text>}
            </g>
          ))}
        </g>
      ))}
      {ticks.map((at) => (
        <text key={at} x={x(at)} y={rows.length * line + 16} textAnchor="middle" fill={theme.colors.text.secondary}>
          {dateTimeFormat(at, { format: 'HH:mm', timeZone: 'utc' })}
        </text>
      ))}
    </svg>
  );
}

function Inside({ panel, data, width, height }: any) {
  if (panel.type === 'stat') {
    const [one] = getFieldDisplayValues({
      fieldConfig: panel.fieldConfig, reduceOptions: panel.options.reduceOptions, replaceVariables: (text) => text, theme, data,
      sparkline: panel.options.graphMode !== 'none', timeZone: 'utc',
    });
    const { colorMode, graphMode, justifyMode, textMode } = panel.options;
    return <BigValue value={one.display} sparkline={one.sparkline} theme={theme} {...{ width, height, colorMode, graphMode, justifyMode, textMode }} />;
  }
  if (!data.length) {
    const text = panel.fieldConfig.defaults.noValue ?? 'No data';
    return <div style={{ textAlign: 'center', paddingTop: height / 2 - 10, color: theme.colors.text.secondary }}>{text}</div>;
  }
  if (panel.type === 'table') {
    return <Table data={data[0]} initialSortBy={panel.options.sortBy} cellHeight={'sm' as any} {...{ width, height }} />;
  }
  if (panel.type === 'state-timeline') {
    return <Timeline {...{ data, width, height }} />;
  }
  return (
    <TimeSeries frames={data} structureRev={1} timeZone="utc" legend={panel.options.legend} options={panel.options} {...{ timeRange, width, height }}>
      {(config: any) => <Annotations config={config} />}
    </TimeSeries>
  );
}

// Collapsed rows are drawn open: what comes after them moves down.
function laidOut() {
  let moved = 0;
  return dashboard.panels.flatMap((panel: any) => {
    const own = { ...panel, top: panel.gridPos.y + moved };
    if (panel.type !== 'row' || !panel.panels.length) {
      return [own];
    }
    const inside = panel.panels.map((one: any) => ({ ...one, top: one.gridPos.y + moved }));
    moved += Math.max(...inside.map((one: any) => one.top + one.gridPos.h)) - own.top - 1;
    return [own, ...inside];
  });
}

function Place({ panel, data }: any) {
  const { x, w, h } = panel.gridPos;
  const style = { position: 'absolute' as const, left: 2 * GAP + x * COLUMN, top: HEAD + panel.top * LINE };
  if (panel.type === 'row') {
    return <div style={{ ...style, fontSize: 16, fontWeight: 500, paddingTop: 8 }}>⌄ {panel.title}</div>;
  }
  return (
    <div style={style}>
      <PanelChrome title={panel.title} description={panel.description} width={w * COLUMN - GAP} height={h * LINE - GAP}>
        {(width, height) => <Inside {...{ panel, data, width, height }} />}
      </PanelChrome>
    </div>
  );
}

async function main() {
  (window as any).__grafana_public_path__ = 'public/';
  const panels = laidOut();
  const all = await Promise.all(panels.map((panel: any) => (panel.type === 'row' ? [] : dataOf(panel))));
  const clock = (at: number) => dateTimeFormat(at * 1000, { format: 'HH:mm:ss', timeZone: 'utc' });
  const choices = dashboard.templating.list.map((one: any) => `${one.label}: ${one.name === 'datasource' ? 'default' : 'All'}`);
  createRoot(document.getElementById('root')!).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ position: 'absolute', left: 2 * GAP, top: 14, fontSize: 18 }}>
        {dashboard.title} <span style={{ fontSize: 13, color: theme.colors.text.secondary }}>
          {choices.join('   ')}   {clock(start)} to {clock(end)}
        </span>
      </div>
      {panels.map((panel: any, index: number) => <Place key={panel.id} panel={panel} data={all[index]} />)}
    </ThemeContext.Provider>
  );
  const lines = Math.max(...panels.map((panel: any) => panel.top + panel.gridPos.h));
  document.body.style.height = `${HEAD + lines * LINE + GAP}px`;
  document.body.style.background = theme.colors.background.canvas;
}

main();
