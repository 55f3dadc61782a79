// What the report uses of Apache ECharts; build.sh bundles it and leaves out the rest.
import { connect, init, use } from 'echarts/core';
import { CustomChart, LineChart, TreemapChart } from 'echarts/charts';
import {
  AxisPointerComponent, DataZoomComponent, GridComponent, MarkLineComponent, TooltipComponent,
} from 'echarts/components';
import { CanvasRenderer } from 'echarts/renderers';

use([
  CustomChart, LineChart, TreemapChart, AxisPointerComponent, DataZoomComponent, GridComponent,
  MarkLineComponent, TooltipComponent, CanvasRenderer,
]);
export { connect, init };
