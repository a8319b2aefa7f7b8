import tseslint from "typescript-eslint";

/** Files of a layer, and the layers that they must not reach up to. */
const layers = [
  "wire",
  "catalog",
  "export",
  "journal",
  "auth",
  "modules",
  "xds",
  "methods",
  "rpc",
  "audit-log",
  "transport",
  "server",
  "in-memory",
  "yaml",
  "envoy-config",
  "cli",
  "start-server",
  "run",
  "main",
];

/** Layers of pure functions and of what is in memory. */
const pure = ["wire", "catalog", "export", "methods", "yaml", "envoy-config"];

/** What files of a layer must not import. */
function restrictionsOf(layer) {
  const later = layers.slice(layers.indexOf(layer) + 1);
  const patterns = [
    {
      regex: `^\\.\\.?/(?!.*gen/)(?:.*/)?(?:${later.join("|")})(?:/|\\.ts$)`,
      message: `src/${layer} must not depend on a later layer (${layers.join(" <- ")}).`,
    },
  ];
  if (layer === "cli") {
    patterns.push({
      regex:
        "^\\.\\.?/(?!.*gen/)(?:.*/)?(?:journal(?!/store-option)|methods|rpc|server)(?:/|\\.ts$)",
      message: "Commands talk to a server as any client does; in-memory.ts is one, too.",
    });
  }
  if (pure.includes(layer)) {
    patterns.push({
      group: ["@connectrpc/*", "node:fs*", "node:http*", "node:net"],
      message: `src/${layer} knows no RPC and no disk.`,
    });
  }
  return patterns;
}

/** Arrows go one way, along `layers`: nothing imports what stands after it. */
const oneWay = layers.slice(0, -1).map((layer) => ({
  files: [`src/${layer}/**`, `src/${layer}.ts`],
  rules: { "no-restricted-imports": ["error", { patterns: restrictionsOf(layer) }] },
}));

/** Rooms inside of layers, in the same way; what stands beside them holds them together. */
const rooms = {
  catalog: ["names", "rules", "state", "access", "reads", "writes", "watch"],
  transport: ["connection", "request", "answer", "front-ends"],
};

const oneWayInside = Object.entries(rooms).flatMap(([layer, names]) =>
  names.slice(0, -1).map((room, index) => ({
    files: [`src/${layer}/${room}/**`],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            ...restrictionsOf(layer),
            {
              regex: `^\\.\\./(?:${names.slice(index + 1).join("|")})/`,
              message: `src/${layer}/${room} must not depend on a later room (${names.join(" <- ")}).`,
            },
          ],
        },
      ],
    },
  })),
);

export default tseslint.config(
  { ignores: ["gen/", "node_modules/", "coverage/", "dist/", ".generated/", ".cache/"] },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "no-console": "error",
      eqeqeq: "error",
    },
  },
  ...oneWay,
  ...oneWayInside,
  {
    files: ["src/**"],
    ignores: ["src/main.ts", "src/run.ts"],
    rules: {
      "no-restricted-globals": [
        "error",
        { name: "process", message: "Only src/main.ts and src/run.ts touch the process." },
      ],
    },
  },
);
