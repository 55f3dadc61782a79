#!/usr/bin/env bash
# Builds echarts.min.js, LICENSE and NOTICE here from the released npm packages. Needs npm.
# The result is committed: neither installing nor using tracer-hooks needs it.
set -euo pipefail
ECHARTS=6.1.0
ZRENDER=6.1.0 # what that release of ECharts asks for
ESBUILD=0.28.2

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"private": true}' > package.json
npm install --silent --no-fund --no-audit "echarts@$ECHARTS" "zrender@$ZRENDER" "esbuild@$ESBUILD"
cp "$here/entry.js" .
npx esbuild entry.js --bundle --minify --target=es2020 --format=iife --global-name=echarts \
    --legal-comments=none --charset=ascii "--define:process.env.NODE_ENV=\"production\"" \
    "--banner:js=/* Apache ECharts $ECHARTS (Apache-2.0), ZRender $ZRENDER (BSD-3-Clause) */" \
    --outfile=echarts.min.js
cp node_modules/echarts/LICENSE "$here/LICENSE"
{
    echo "This report contains Apache ECharts $ECHARTS, under the Apache License 2.0"
    echo "(https://www.apache.org/licenses/LICENSE-2.0)."
    echo
    cat node_modules/echarts/NOTICE
    echo
    echo
    echo "It contains ZRender $ZRENDER, under this licence:"
    echo
    cat node_modules/zrender/LICENSE
    echo
    echo
    echo "It contains parts of tslib, under the Zero-Clause BSD licence, and of d3-hierarchy and"
    echo "other d3 libraries, under this licence:"
    echo
    sed -n '1,40p' node_modules/echarts/licenses/LICENSE-d3
} > "$here/NOTICE"
mv echarts.min.js "$here/echarts.min.js"
